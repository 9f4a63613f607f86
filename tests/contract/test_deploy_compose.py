"""`docker-compose up` starts what the services need, in order, with no secret of its own."""

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.version import VERSION
from tests.support.composed import JOBS, SERVICES, configured
from tests.support.tools import ROOT, locked_tool, run_tool, system_tool

Compose = dict[str, Any]
OURS = [*SERVICES, *JOBS]


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Compose:
    return configured(tmp_path_factory.mktemp("compose") / "env")


@pytest.mark.tools
def test_every_image_has_a_version(compose: Compose) -> None:
    images = {name: service["image"] for name, service in compose["services"].items()}
    versions = {image.rpartition(":")[2].removeprefix("v") for image in images.values()}

    assert all(version.count(".") and version[0].isdigit() for version in versions), images
    assert images["postgres"].startswith("postgres:18.")
    assert images["kafka"].startswith("apache/kafka:4.")
    assert {images[name] for name in OURS} == {f"earshot:{VERSION}"}


@pytest.mark.tools
def test_everything_has_its_limits(compose: Compose) -> None:
    for name, service in compose["services"].items():
        assert {"mem_limit", "cpus", "pids_limit"} <= set(service), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["logging"]["options"]["max-size"], name
        assert service["restart"] == ("no" if name in JOBS else "unless-stopped"), name


@pytest.mark.tools
def test_everything_that_lasts_is_watched(compose: Compose) -> None:
    for name, service in compose["services"].items():
        check = service.get("healthcheck")
        assert (check == {"test": ["NONE"]}) == (name in JOBS), name
        assert (check is None) == (name in SERVICES), name
        assert name in OURS or check["test"][0] == "CMD", name  # no shell


@pytest.mark.tools
@pytest.mark.parametrize("name", OURS)
def test_a_container_of_ours_has_no_rights(compose: Compose, name: str) -> None:
    service = compose["services"][name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service.get("user") is None  # the image's own, which is not root


@pytest.mark.tools
def test_ports_are_on_loopback_alone(compose: Compose) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]

    assert ports
    assert all(str(port).startswith("127.0.0.1:") for port in ports), ports


@pytest.mark.tools
def test_no_password_stands_in_the_file(compose: Compose) -> None:
    secret_words = ("PASSWORD", "DATABASE_URL", "KEY", "SECRET", "SMTP_URL", "SLACK_URL")
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
@pytest.mark.parametrize("name", [*OURS, "postgres", "grafana"])
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
def test_what_is_mounted_is_there(compose: Compose) -> None:
    mounted = [
        volume.split(":")
        for service in compose["services"].values()
        for volume in service.get("volumes", [])
    ]

    for source, _, mode in mounted:
        if source.startswith("/"):
            assert Path(source).exists(), source
            assert mode == "ro", source
        else:
            assert source in compose["volumes"], source


@pytest.mark.tools
def test_grafana_asks_for_a_password(compose: Compose) -> None:
    environment = compose["services"]["grafana"]["environment"]

    assert environment["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
    assert environment["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/run/secrets/grafana_password"


def scraped(folder: str) -> Compose:
    (found,) = yaml.safe_load((ROOT / folder / "prometheus.yml").read_text())["scrape_configs"]
    job: Compose = found
    return job


def test_prometheus_scrapes_as_it_does_elsewhere() -> None:
    here, there = scraped("deploy/compose"), scraped("deploy/prometheus")

    assert here["job_name"] == there["job_name"]
    assert {t["labels"]["service"]: t["targets"] for t in here["static_configs"]} == {
        name: [f"{name}:{port}"] for name, port in SERVICES.items()
    }
    assert {t["labels"]["service"] for t in there["static_configs"]} == set(SERVICES)


@pytest.mark.tools
def test_alertmanager_accepts_its_configuration() -> None:
    run_tool(system_tool("amtool"), "check-config", "deploy/alertmanager/alertmanager.yml")


@pytest.mark.tools
def test_mails_of_both_kinds_are_caught(compose: Compose, tmp_path: Path) -> None:
    alertmanager = yaml.safe_load((ROOT / "deploy/alertmanager/alertmanager.yml").read_text())
    run_tool(sys.executable, "-I", "deploy/compose/write_secrets.py", str(tmp_path))

    assert "mailpit" in compose["services"]
    assert (tmp_path / "smtp_url").read_text() == "smtp://mailpit:1025\n"
    assert alertmanager["global"]["smtp_smarthost"] == "mailpit:1025"


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


@pytest.mark.thorough
def test_yaml_reads_the_same_everywhere() -> None:
    run_tool(
        locked_tool("yamllint"),
        "--strict",
        "deploy",
        "docker-compose.yml",
        ".pre-commit-config.yaml",
        ".yamllint.yaml",
    )
