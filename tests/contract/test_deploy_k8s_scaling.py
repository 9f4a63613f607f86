"""Who scales what: CPU scales ingest, lag the consumers, and nobody both."""

from typing import Any

import pytest

from shared.events import PARTITIONS
from shared.flows import FLOWS, group_of
from tests.support.manifests import (
    CONSUMERS,
    Manifest,
    applied,
    container,
    manifests,
    named,
    one,
    prod,
)

pytestmark = pytest.mark.tools
__all__ = ["applied", "manifests", "prod"]

LONGEST_PAUSE_S = 300


def scalers(manifests: list[Manifest]) -> list[Manifest]:
    return named(manifests, "HorizontalPodAutoscaler") + named(manifests, "ScaledObject")


def scaling_of(manifests: list[Manifest], name: str) -> dict[str, Any]:
    spec: dict[str, Any] = one(manifests, "ScaledObject", f"earshot-{name}")["spec"]
    return spec


def test_no_two_scale_the_same(applied: list[Manifest]) -> None:
    targets = [scaler["spec"]["scaleTargetRef"]["name"] for scaler in scalers(applied)]

    assert len(targets) == len(set(targets))
    assert "earshot-ingest" in targets


def test_an_apply_undoes_nobodys_choice(applied: list[Manifest]) -> None:
    scaled = {scaler["spec"]["scaleTargetRef"]["name"] for scaler in scalers(applied)}
    numbered = {
        deployment["metadata"]["name"]
        for deployment in named(applied, "Deployment")
        if "replicas" in deployment["spec"]
    }

    assert scaled & numbered == set()
    assert scaled | numbered == {f"earshot-{name}" for name in (*FLOWS, "operator")}


def test_nobody_sits_at_the_operators_desk_after_an_apply(applied: list[Manifest]) -> None:
    assert one(applied, "Deployment", "earshot-operator")["spec"]["replicas"] == 0


def test_ingest_is_scaled_by_cpu(applied: list[Manifest]) -> None:
    spec = one(applied, "HorizontalPodAutoscaler", "earshot-ingest")["spec"]
    (metric,) = spec["metrics"]

    assert metric["resource"]["name"] == "cpu"
    assert metric["resource"]["target"]["type"] == "Utilization"
    assert container(applied, "Deployment", "ingest")["resources"]["requests"]["cpu"]
    assert spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] >= LONGEST_PAUSE_S
    assert 1 <= spec["minReplicas"] < spec["maxReplicas"]


@pytest.mark.parametrize("name", ["base", "prod"])
def test_ingest_is_never_alone_where_it_matters(
    manifests: list[Manifest], prod: list[Manifest], name: str
) -> None:
    given = {"base": manifests, "prod": prod}[name]

    assert one(given, "HorizontalPodAutoscaler", "earshot-ingest")["spec"]["minReplicas"] >= 2


@pytest.mark.parametrize("name", CONSUMERS)
def test_a_consumer_is_scaled_by_the_lag_on_each_of_its_topics(
    prod: list[Manifest], name: str
) -> None:
    triggers = scaling_of(prod, name)["triggers"]

    assert {t["type"] for t in triggers} == {"kafka"}
    assert [t["metadata"]["topic"] for t in triggers] == [str(t) for t in FLOWS[name].reads]
    for trigger in triggers:
        told = trigger["metadata"]
        assert told["consumerGroup"] == group_of(name)
        assert told["bootstrapServersFromEnv"] == "EARSHOT_KAFKA_BOOTSTRAP"
        assert told["limitToPartitionsWithLag"] == told["excludePersistentLag"] == "true"
        assert told["allowIdleConsumers"] == "false"
        assert int(told["lagThreshold"]) > int(told["activationLagThreshold"]) > 0
        assert told["tls"] == "enable"
        assert trigger["authenticationRef"] == {"name": "earshot-kafka"}


@pytest.mark.parametrize("name", CONSUMERS)
def test_replicas_stay_between_one_and_the_partitions(prod: list[Manifest], name: str) -> None:
    spec = scaling_of(prod, name)

    assert 1 <= spec["minReplicaCount"] < spec["maxReplicaCount"] <= PARTITIONS
    assert spec["fallback"]["replicas"] >= spec["minReplicaCount"]
    assert spec["fallback"]["behavior"] == "currentReplicasIfHigher"


@pytest.mark.parametrize("name", CONSUMERS)
def test_the_way_down_is_slow(prod: list[Manifest], name: str) -> None:
    down = scaling_of(prod, name)["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]

    assert down["scaleDown"]["stabilizationWindowSeconds"] >= LONGEST_PAUSE_S
    assert down["scaleDown"]["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 300}]


def test_keda_shows_the_certificate_of_its_own_user(prod: list[Manifest]) -> None:
    refs = one(prod, "TriggerAuthentication", "earshot-kafka")["spec"]["secretTargetRef"]

    assert {ref["parameter"]: (ref["name"], ref["key"]) for ref in refs} == {
        "ca": ("earshot-cluster-ca-cert", "ca.crt"),
        "cert": ("earshot-keda", "user.crt"),
        "key": ("earshot-keda", "user.key"),
    }
    assert one(prod, "KafkaUser", "earshot-keda")
