"""Fixtures that every level shares: the real PostgreSQL and the Kafka mock of the default."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer

from shared import logs
from shared.embedded.files import hold_lock
from shared.embedded.kraft import Kraft, Options, ToolMissing, start_kraft, stop_kraft
from shared.embedded.system import Embedded
from shared.stream import Broker
from tests.support.embedded import build_template, cloned_database, start_for_tests, stop_for_tests
from tests.support.kafka import broker_on, draw_prefix
from tests.support.spread import Spread, put_long_first

ROOT = Path(__file__).resolve().parents[1]
FOLDER = "earshot-embedded"
ALONE = "PYTEST_XDIST_WORKER" not in os.environ

# The default of 200 ms an example says more about a loaded core than about the code.
settings.register_profile("earshot", deadline=None)
settings.load_profile("earshot")

# Imports and collection make millions of objects that stay: looking among them takes a second.
gc.set_threshold(50_000, 20, 100)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Spread | None:
    """What `--dist loadscope` means here; xdist's own order would begin the longest last."""
    if config.getoption("dist") != "loadscope":
        return None
    config.option.loadscopereorder = False
    return Spread(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        put_long_first(items)


@pytest.fixture(scope="session", autouse=True)
def json_logs() -> None:
    """Log as the services do: structlog's own tracebacks take seconds to draw."""
    logs.configure("warning")


def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the servers are that all workers share."""
    base = tmp_path_factory.getbasetemp()
    var = (base if ALONE else base.parent) / FOLDER
    var.mkdir(exist_ok=True)
    return var


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    var = shared_folder(tmp_path_factory)
    yield start_for_tests(var)
    if ALONE:
        stop_for_tests(var)


@pytest.fixture(scope="session")
def embedded(servers: Embedded, tmp_path_factory: pytest.TempPathFactory) -> Embedded:
    """The servers, with a template database in which every service is migrated."""
    var = shared_folder(tmp_path_factory)
    with hold_lock(var / "template.lock", patience=60):
        done = var / "template.done"
        if not done.exists():
            build_template(servers.database_url)
            done.touch()
    return servers


@pytest.fixture
def empty_database_url(servers: Embedded) -> Iterator[str]:
    with cloned_database(servers.database_url, "template1") as url:
        yield url


def pytest_collection_finish() -> None:
    """What was imported and collected stays; nobody need look through it again."""
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With several workers the controller stops what they shared."""
    if hasattr(session.config, "workerinput"):
        return
    factory = getattr(session.config, "_tmp_path_factory", None)
    if factory is not None and (var := factory.getbasetemp() / FOLDER).is_dir():
        stop_for_tests(var)
        stop_kraft(var)


@pytest.fixture(scope="module")
def database_url(embedded: Embedded) -> Iterator[str]:
    """A fresh, migrated database for the test module."""
    with cloned_database(embedded.database_url) as url:
        yield url


@pytest.fixture
def fresh_database_url(embedded: Embedded) -> Iterator[str]:
    """A fresh, migrated database for one test."""
    with cloned_database(embedded.database_url) as url:
        yield url


@pytest.fixture(scope="session")
def kafka_bootstrap(servers: Embedded) -> str:
    return servers.kafka_bootstrap


@pytest.fixture(scope="session")
def kraft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kraft]:
    """Apache Kafka itself, one node, which makes topics when asked for them: that is its default.

    All workers share it. Where it cannot be had, its tests fail.
    """
    var = shared_folder(tmp_path_factory)
    try:
        yield start_kraft(var, Options(properties={"auto.create.topics.enable": "true"}))
    except ToolMissing as missing:
        pytest.fail(f"tests on a real Kafka cannot run: {missing}", pytrace=False)
    if ALONE:
        stop_kraft(var)


@pytest.fixture
def broker(request: pytest.FixtureRequest, servers: Embedded) -> Broker:
    """A Kafka with topics of this test's own, 4 partitions each: the mock, or what is asked for."""
    if getattr(request, "param", "mock") == "real":
        return broker_on(request.getfixturevalue("kraft"))
    return Broker(
        servers.kafka_bootstrap, log=servers.kafka_log, prefix=draw_prefix(), embedded=True
    )


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = os.environ.get("EARSHOT_DATA")
    if folder is None:
        pytest.skip("EARSHOT_DATA is not set")
    path = Path(folder)
    if not (path / "olist" / "responses.csv.gz").exists():
        pytest.fail(f"EARSHOT_DATA={folder} is not complete: olist/responses.csv.gz is missing")
    return path
