"""A service is probed by meaning, replaced without a gap, drained, spread, and reached by name."""

from typing import Any

import httpx
import pytest

from services.ingest.api import HotPath
from shared.process import _END_S
from shared.web.probes import PROBE_S
from tests.support.four import routes_of
from tests.support.ingest import Rig
from tests.support.manifests import (
    JOBS,
    SERVICES,
    Manifest,
    applied,
    container,
    manifests,
    named,
    one,
    overlaid,
    pod,
)

pytestmark = pytest.mark.tools
__all__ = ["applied", "manifests", "overlaid"]

CLOSED = {
    "/metrics",
    "/healthz",
    "/readyz",
    "/docs",
    "/openapi.json",
}
OTHERS = [*CLOSED, "/", "/v1", "/v1/responses/other", "/v2/events", "/sessions"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_probed_by_meaning(applied: list[Manifest], name: str) -> None:
    only = container(applied, "Deployment", name)
    start, alive, ready = (only[f"{each}Probe"] for each in ("startup", "liveness", "readiness"))

    assert start["httpGet"] == alive["httpGet"] == {"path": "/healthz", "port": "http"}
    assert ready["httpGet"] == {"path": "/readyz", "port": "http"}
    assert start["periodSeconds"] * start["failureThreshold"] >= 60
    # what restarts is slower than what only takes a pod out of the Service
    for_restart = alive["periodSeconds"] * alive["failureThreshold"]
    assert for_restart >= 60 > ready["periodSeconds"] * ready["failureThreshold"]
    assert ready["timeoutSeconds"] > PROBE_S


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_replaced_without_a_gap(applied: list[Manifest], name: str) -> None:
    deployment = one(applied, "Deployment", f"earshot-{name}")["spec"]
    budget = one(applied, "PodDisruptionBudget", f"earshot-{name}")["spec"]

    assert deployment["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
    }
    assert budget == {"maxUnavailable": 1, "selector": deployment["selector"]}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_drained_before_it_is_killed(applied: list[Manifest], name: str) -> None:
    pause = container(applied, "Deployment", name)["lifecycle"]["preStop"]["sleep"]["seconds"]
    grace = pod(applied, "Deployment", name)["terminationGracePeriodSeconds"]

    assert pause >= 5  # the time that the endpoint needs to be gone from every node
    assert grace >= 2 * (pause + _END_S)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_spread_over_nodes_and_zones(applied: list[Manifest], name: str) -> None:
    deployment = one(applied, "Deployment", f"earshot-{name}")["spec"]
    spread = pod(applied, "Deployment", name)["topologySpreadConstraints"]

    assert [each["topologyKey"] for each in spread] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]
    assert all(each["labelSelector"] == deployment["selector"] for each in spread)
    assert all(each["maxSkew"] == 1 for each in spread)


@pytest.mark.parametrize("name", ["scoring", "trigger", "alerts"])
def test_the_base_has_two_of_each_consumer(manifests: list[Manifest], name: str) -> None:
    assert one(manifests, "Deployment", f"earshot-{name}")["spec"]["replicas"] == 2


@pytest.mark.parametrize(("name", "port"), SERVICES.items())
def test_a_service_is_reached_at_its_port(applied: list[Manifest], name: str, port: int) -> None:
    service = one(applied, "Service", f"earshot-{name}")["spec"]
    labels = one(applied, "Deployment", f"earshot-{name}")["spec"]["template"]["metadata"]

    assert service.get("type", "ClusterIP") == "ClusterIP"
    assert [p["port"] for p in service["ports"]] == [port]
    assert [p["containerPort"] for p in container(applied, "Deployment", name)["ports"]] == [port]
    assert service["selector"].items() <= labels["labels"].items()


@pytest.mark.parametrize("name", JOBS)
def test_a_job_ends_and_makes_room_for_the_next(applied: list[Manifest], name: str) -> None:
    job = one(applied, "Job", f"earshot-{name}")["spec"]

    assert 0 < job["activeDeadlineSeconds"] <= 900
    assert 0 < job["ttlSecondsAfterFinished"] <= 600
    assert job["template"]["spec"]["restartPolicy"] == "OnFailure"


@pytest.mark.parametrize("name", SERVICES)
def test_a_changed_setting_replaces_the_pods(applied: list[Manifest], name: str) -> None:
    (source,) = container(applied, "Deployment", name)["envFrom"]
    settings = one(applied, "ConfigMap", "earshot")["metadata"]["name"]

    assert source["configMapRef"]["name"] == settings != "earshot"


@pytest.mark.parametrize("name", SERVICES)
def test_a_changed_programme_replaces_the_pods(overlaid: list[Manifest], name: str) -> None:
    volumes = pod(overlaid, "Deployment", name)["volumes"]
    (mounted,) = [v["configMap"]["name"] for v in volumes if "configMap" in v]
    programme = one(overlaid, "ConfigMap", "earshot-programme")

    assert mounted == programme["metadata"]["name"] != "earshot-programme"
    assert set(programme["data"]) == {
        f"{file}.yaml" for file in ("programme", "surveys", "triggers", "segments", "alerts")
    }


def passes(ingress: Manifest, path: str) -> bool:
    """Whether the Ingress sends a path on to ingest, by the rules of `pathType`."""
    (rule,) = ingress["spec"]["rules"]
    return any(
        path == each["path"]
        or (each["pathType"] == "Prefix" and path.startswith(each["path"].rstrip("/") + "/"))
        for each in rule["http"]["paths"]
    )


def paths_of(web: HotPath) -> set[str]:
    """Every path that ingest serves, documented or not."""
    app: Any = web._app  # noqa: SLF001 - it shows its routes to nobody
    return {path for _, path in routes_of(app)}


def test_ingest_alone_is_public_and_with_its_public_routes_alone(applied: list[Manifest]) -> None:
    (ingress,) = named(applied, "Ingress")
    (rule,) = ingress["spec"]["rules"]
    backends = [path["backend"]["service"] for path in rule["http"]["paths"]]
    served = {path.replace("{token}", "a") for path in paths_of(Rig().web())}

    assert backends == [{"name": "earshot-ingest", "port": {"name": "http"}}] * len(backends)
    assert {"/s/a", "/s/a/thanks", "/u/a", "/v1/responses", "/v1/events"} <= served
    assert {path for path in served if not passes(ingress, path)} == served & CLOSED
    assert not [path for path in OTHERS if passes(ingress, path)]


async def test_what_is_closed_is_served_inside() -> None:
    transport = httpx.ASGITransport(app=Rig().web())
    async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
        assert (await client.get("/metrics")).status_code == 200


def test_the_public_door_has_a_certificate(applied: list[Manifest]) -> None:
    (ingress,) = named(applied, "Ingress")
    hosts = [rule["host"] for rule in ingress["spec"]["rules"]]
    (settings,) = [m for m in named(applied, "ConfigMap") if "EARSHOT_HOST" in m["data"]]

    if settings["data"]["EARSHOT_PUBLIC_URL"].startswith("https"):  # the overlay dev has none
        assert [tls["hosts"] for tls in ingress["spec"]["tls"]] == [hosts]
        assert settings["data"]["EARSHOT_PUBLIC_URL"] == f"https://{hosts[0]}"
    else:
        assert "tls" not in ingress["spec"]
        assert settings["data"]["EARSHOT_PUBLIC_URL"] == "http://127.0.0.1:8001"
