"""What the network lets through, workload by workload, in the base and in each overlay."""

from typing import Any

import pytest

from tests.support.manifests import (
    SERVICES,
    Manifest,
    applied,
    manifests,
    named,
    one,
    overlaid,
    prod,
)

pytestmark = pytest.mark.tools
__all__ = ["applied", "manifests", "overlaid", "prod"]

OUT = [
    ("ingest", {53, 8003, 9093}),
    ("scoring", {53, 5432, 9093}),
    ("trigger", {53, 443, 465, 587, 5432, 9093}),
    ("alerts", {53, 443, 465, 587, 5432, 9093}),
    ("migrate", {53, 5432}),
    ("topics", {53, 9093}),
    ("operator", {53, 9093}),
]
MONITORING = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
DOOR = {"namespaceSelector": {"matchLabels": {"earshot-door": "true"}}}
CLIENTS = {"namespaceSelector": {"matchLabels": {"earshot-client": "true"}}}
INGEST = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "earshot-ingest"}}}


def selects(policy: Manifest, name: str) -> bool:
    """Whether a policy's `podSelector` is meant for the workload of that name."""
    selector = policy["spec"]["podSelector"]
    labels = selector.get("matchLabels", {})
    if any(value != name for value in labels.values()):
        return False
    rules = selector.get("matchExpressions", [])
    assert all(rule["operator"] == "In" for rule in rules)  # the only one that this reads
    return all(name in rule["values"] for rule in rules)


def allowed_ports(manifests: list[Manifest], name: str, direction: str) -> set[int]:
    return {
        port["port"]
        for policy in manifests
        if policy["kind"] == "NetworkPolicy" and selects(policy, f"earshot-{name}")
        for rule in policy["spec"].get(direction, [])
        for port in rule["ports"]
    }


def callers(manifests: list[Manifest], name: str) -> list[Any]:
    """Who may open a connection to the workload's own port."""
    return [
        peer
        for policy in named(manifests, "NetworkPolicy")
        if selects(policy, f"earshot-{name}")
        for rule in policy["spec"].get("ingress", [])
        if SERVICES[name] in {port["port"] for port in rule["ports"]}
        for peer in rule.get("from", ["everybody"])
    ]


def test_what_no_policy_names_is_denied(applied: list[Manifest]) -> None:
    deny = one(applied, "NetworkPolicy", "default-deny")["spec"]

    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@pytest.mark.parametrize(("name", "ports"), OUT)
def test_a_workload_reaches_only_what_it_needs(
    overlaid: list[Manifest], name: str, ports: set[int]
) -> None:
    traces = (
        {4318} if any("PodMonitor" in m["kind"] for m in overlaid) and name in SERVICES else set()
    )

    assert allowed_ports(overlaid, name, "egress") == ports | traces


@pytest.mark.parametrize(("name", "ports"), OUT)
def test_the_base_reaches_a_kafka_in_the_open_besides(
    manifests: list[Manifest], name: str, ports: set[int]
) -> None:
    in_the_open = {9092} if 9093 in ports else set()

    assert allowed_ports(manifests, name, "egress") == ports | in_the_open


@pytest.mark.parametrize("name", ["kafka", "postgresql"])
def test_in_an_overlay_no_other_namespace_holds_the_data(
    overlaid: list[Manifest], name: str
) -> None:
    (rule,) = one(overlaid, "NetworkPolicy", name)["spec"]["egress"]

    assert [set(peer) for peer in rule["to"]] == [{"podSelector"}]


@pytest.mark.parametrize(
    ("name", "peers"),
    [
        ("ingest", [DOOR, CLIENTS, MONITORING]),
        ("scoring", [CLIENTS, MONITORING]),
        ("trigger", [CLIENTS, MONITORING, INGEST]),
        ("alerts", [CLIENTS, MONITORING]),
    ],
)
def test_a_service_is_called_by_those_who_are_named(
    applied: list[Manifest], name: str, peers: list[Any]
) -> None:
    found = callers(applied, name)

    assert sorted(found, key=repr) == sorted(peers, key=repr)


def test_nothing_is_open_to_everybody(applied: list[Manifest]) -> None:
    rules = [
        rule
        for policy in named(applied, "NetworkPolicy")
        for rule in policy["spec"].get("ingress", [])
    ]

    assert all(rule.get("from") and rule.get("ports") for rule in rules)


def test_what_leaves_for_anywhere_is_named(applied: list[Manifest]) -> None:
    anywhere = {
        policy["metadata"]["name"]: {port["port"] for port in rule["ports"]}
        for policy in named(applied, "NetworkPolicy")
        for rule in policy["spec"].get("egress", [])
        if not rule.get("to")
    }

    # the Kubernetes API has an address of the cluster's, the backups' store one of its own
    assert set(anywhere) <= {"kafka-entity-operator", "postgresql-server"}
    assert all(ports == {443, 6443} for ports in anywhere.values())


def test_messages_cannot_reach_private_networks(applied: list[Manifest]) -> None:
    (rule,) = one(applied, "NetworkPolicy", "messages")["spec"]["egress"]
    kept_out = {cidr for peer in rule["to"] for cidr in peer["ipBlock"]["except"]}

    assert {"10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"} <= kept_out
    assert {"127.0.0.0/8", "100.64.0.0/10", "::1/128", "fc00::/7", "fe80::/10"} <= kept_out


def test_the_database_is_open_to_those_who_have_a_role_in_it(overlaid: list[Manifest]) -> None:
    client, *_ = one(overlaid, "NetworkPolicy", "postgresql-server")["spec"]["ingress"]
    (peer,) = client["from"]
    (chosen,) = peer["podSelector"]["matchExpressions"]

    assert {port["port"] for port in client["ports"]} == {5432}
    assert set(chosen["values"]) == {
        f"earshot-{name}" for name in ("migrate", "scoring", "trigger", "alerts")
    }


def test_kafka_is_open_to_those_who_have_a_certificate(prod: list[Manifest]) -> None:
    (listener,) = one(prod, "Kafka", "earshot")["spec"]["kafka"]["listeners"]
    pods, keda = listener["networkPolicyPeers"]
    (chosen,) = pods["podSelector"]["matchExpressions"]
    users = {user["metadata"]["name"] for user in named(prod, "KafkaUser")}

    assert set(chosen["values"]) == users - {"earshot-keda"}
    assert keda == {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "keda"}}}
