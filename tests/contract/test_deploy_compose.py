"""`docker-compose up` starts what the services need, in order, with no secret of its own."""

from typing import Any

import pytest
import yaml

from tests.support.tools import ROOT, locked_tool, run_tool, system_tool

Compose = dict[str, Any]
SERVICES = {"ingest": 8001, "scoring": 8002, "trigger": 8003, "alerts": 8004}
OURS = [*SERVICES, "migrate", "topics"]


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Compose:
    unset = tmp_path_factory.mktemp("compose") / "env"  # nobody's own .env decides a test
    unset.touch()
    rendered = run_tool(system_tool("docker-compose"), "--env-file", str(unset), "config")
    read: Compose = yaml.safe_load(rendered)
    return read


@pytest.mark.tools
def test_every_image_has_a_version(compose: Compose) -> None:
    images = {name: service["image"] for name, service in compose["services"].items()}

    assert all(image.rpartition(":")[2][0].isdigit() for image in images.values()), images
    assert images["postgres"].startswith("postgres:18.")
    assert images["kafka"].startswith("apache/kafka:4.")


@pytest.mark.tools
@pytest.mark.parametrize("name", OURS)
def test_a_container_of_ours_has_no_rights(compose: Compose, name: str) -> None:
    service = compose["services"][name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("user") is None  # the image's own, which is not root


@pytest.mark.tools
def test_ports_are_on_loopback_alone(compose: Compose) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]

    assert ports
    assert all(str(port).startswith("127.0.0.1:") for port in ports), ports


@pytest.mark.tools
def test_no_password_stands_in_the_file(compose: Compose) -> None:
    secret_words = ("PASSWORD", "DATABASE_URL", "KEY")
    named = {
        f"{service}.{key}": value
        for service, spec in compose["services"].items()
        for key, value in spec.get("environment", {}).items()
        if any(word in key for word in secret_words)
    }

    assert named
    for key, value in named.items():
        assert key.endswith("_FILE"), key
        assert value.startswith("/run/secrets/"), key


@pytest.mark.tools
@pytest.mark.parametrize("name", [*OURS, "postgres"])
def test_a_service_gets_the_secrets_that_it_reads(compose: Compose, name: str) -> None:
    service = compose["services"][name]
    read = {v for v in service.get("environment", {}).values() if v.startswith("/run/secrets/")}

    assert {f"/run/secrets/{s['source']}" for s in service.get("secrets", [])} == read


@pytest.mark.tools
@pytest.mark.parametrize("name", ["scoring", "trigger", "alerts"])
def test_a_service_with_state_waits_for_schema_and_topics(compose: Compose, name: str) -> None:
    waits = {k: v["condition"] for k, v in compose["services"][name]["depends_on"].items()}

    assert waits == {
        "kafka": "service_healthy",
        "postgres": "service_healthy",
        "migrate": "service_completed_successfully",
        "topics": "service_completed_successfully",
    }


@pytest.mark.tools
def test_ingest_waits_for_no_database(compose: Compose) -> None:
    ingest = compose["services"]["ingest"]

    assert set(ingest["depends_on"]) == {"kafka", "topics"}
    assert "EARSHOT_DATABASE_URL_FILE" not in ingest["environment"]


@pytest.mark.tools
@pytest.mark.parametrize(("name", "port"), SERVICES.items())
def test_a_service_is_probed_at_its_own_port(compose: Compose, name: str, port: int) -> None:
    service = compose["services"][name]

    assert service["command"] == ["python", "-m", f"services.{name}"]
    assert service["environment"]["HEALTH_URL"] == f"http://127.0.0.1:{port}/healthz"
    assert [p.rpartition(":")[2].removesuffix("/tcp") for p in service["ports"]] == [str(port)]


def test_the_image_passes_hadolint() -> None:
    run_tool(locked_tool("hadolint"), "Dockerfile")


def test_the_image_runs_as_an_ordinary_user() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    users = [line for line in lines if line.startswith("USER")]

    assert users == ["USER 10001:10001"]


def test_yaml_reads_the_same_everywhere() -> None:
    run_tool(
        locked_tool("yamllint"),
        "--strict",
        "deploy",
        "docker-compose.yml",
        ".pre-commit-config.yaml",
        ".yamllint.yaml",
    )
