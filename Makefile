# Earshot. `make` alone prints what there is.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/pytest -q -p no:cacheprovider
CODE := services shared generate migrations tests benchmarks
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
WORKERS ?= 3
# bytecode is kept: every worker and every process of a test compiles the whole project without it
unexport PYTHONDONTWRITEBYTECODE
# much of a test is waiting, so there is one worker more than cores; tests/support/spread.py says which tests begin first
SPREAD := $(PYTEST) -n $(WORKERS) --dist loadscope
NEEDS := browser or tools or real_kafka or real_data or system or faults or thorough
# by name: only so what the faults measured is printed at the end
LEVELS := tests/unit tests/contract tests/integration tests/e2e tests/faults

.DEFAULT_GOAL := help
.PHONY: help install run kafka stop demo up down test test-all test-faults check generate fmt bench upgrade clean

help: ## this list
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

$(VENV)/.installed: requirements.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	@touch $@

install: $(VENV)/.installed-dev ## install what running and testing need, from the lock

run: $(VENV)/.installed ## start the whole system on the embedded default (ports 8001-8004)
	@exec $(BIN)/python -m services

kafka: $(VENV)/.installed ## start a real Kafka on loopback (NODES=3 for three); needs Java 17 and Maven
	@$(BIN)/python -m services kafka $(if $(NODES),--nodes $(NODES))

stop: $(VENV)/.installed ## end what runs: the services, their PostgreSQL and Kafka
	@$(BIN)/python -m services stop

demo: $(VENV)/.installed ## four weeks of history, live traffic, one fault, and the alert
	@exec $(BIN)/python -m services demo

# v2 where the engine has it, else the older program of its own
COMPOSE ?= $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)

up: ## build and start docker-compose.yml, wait until it is healthy, say where it is
	@$(PYTHON) deploy/compose/up.py $(COMPOSE)

down: ## stop it and keep its data; VOLUMES=1 removes that too
	@$(COMPOSE) down $(if $(VOLUMES),--volumes)

test: $(VENV)/.installed-dev ## unit, contract and integration tests on the embedded default (< 60 s)
	$(SPREAD) -m "not ($(NEEDS)) and not slow" tests/unit tests/contract tests/integration

test-all: test ## the same, and what takes long or needs a browser, Debian's tools, Java and Maven, real data; faults
	$(SPREAD) -m "($(NEEDS)) and not slow" $(LEVELS)

test-faults: $(VENV)/.installed-dev ## all that breaks something on purpose, also what takes minutes
	$(SPREAD) tests/faults

check: $(VENV)/.installed-dev ## ruff, mypy strict, import contracts, bandit, spelling, generated files
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check --quiet $(CODE)
	$(BIN)/mypy --no-error-summary $(CODE)
	PYTHONPATH=. $(BIN)/lint-imports --no-cache
	$(BIN)/bandit -q -c pyproject.toml -r services shared generate
	$(BIN)/python -m generate --check
	$(BIN)/codespell services shared generate migrations benchmarks docs *.md Makefile
	! grep -nE 'https?://|--index-url|--extra-index-url|--find-links' requirements*.lock

generate: $(VENV)/.installed-dev ## write every file that follows from the code
	$(BIN)/python -m generate

fmt: $(VENV)/.installed-dev ## format, and mend what ruff can mend
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

# those that scoring is compared with ask for other versions of what we have
.rivals/.installed: requirements-rivals.lock
	@test -x .rivals/bin/python || $(PYTHON) -m venv .rivals
	.rivals/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-rivals.lock
	@touch $@

bench: $(VENV)/.installed-dev ## ratios in one run, beside the peers; tables, and JSON under var/bench/
	@$(MAKE) --no-print-directory .rivals/.installed || echo "the peers could not be installed: their rows will be missing"
	$(BIN)/python -m benchmarks

upgrade: $(VENV)/.installed-dev ## renew the lock files
	$(COMPILE) pyproject.toml --upgrade --group embedded -o requirements.lock
	$(COMPILE) pyproject.toml --upgrade --group embedded --group dev -o requirements-dev.lock
	$(COMPILE) pyproject.toml --upgrade --constraint requirements.lock -o requirements-image.lock
	$(COMPILE) --upgrade --group rivals -o requirements-rivals.lock

clean: ## remove what was built or installed here; `make stop` first, var/ stays
	rm -rf $(VENV) .rivals .kafka .tools .ci/schemas/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
