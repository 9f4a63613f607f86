"""What the network lets through, workload by workload."""

import pytest

from tests.support.manifests import Manifest, manifests, one

pytestmark = pytest.mark.tools
__all__ = ["manifests"]


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


def test_what_no_policy_names_is_denied(manifests: list[Manifest]) -> None:
    deny = one(manifests, "NetworkPolicy", "default-deny")["spec"]

    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@pytest.mark.parametrize(
    ("name", "ports"),
    [
        ("ingest", {53, 8003, 9092, 9093}),
        ("scoring", {53, 5432, 9092, 9093}),
        ("trigger", {53, 443, 465, 587, 5432, 9092, 9093}),
        ("alerts", {53, 443, 465, 587, 5432, 9092, 9093}),
        ("migrate", {53, 5432}),
        ("topics", {53, 9092, 9093}),
    ],
)
def test_a_workload_reaches_only_what_it_needs(
    manifests: list[Manifest], name: str, ports: set[int]
) -> None:
    assert allowed_ports(manifests, name, "egress") == ports


def test_only_ingest_is_open_to_everyone(manifests: list[Manifest]) -> None:
    open_to_all = [
        policy["metadata"]["name"]
        for policy in manifests
        if policy["kind"] == "NetworkPolicy"
        and any(not rule.get("from") for rule in policy["spec"].get("ingress", []))
    ]

    assert open_to_all == ["public-door"]
    assert allowed_ports(manifests, "ingest", "ingress") == {8001}


def test_messages_cannot_reach_private_networks(manifests: list[Manifest]) -> None:
    (rule,) = one(manifests, "NetworkPolicy", "messages")["spec"]["egress"]
    kept_out = {cidr for peer in rule["to"] for cidr in peer["ipBlock"]["except"]}

    assert {"10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"} <= kept_out
    assert {"127.0.0.0/8", "100.64.0.0/10", "::1/128", "fc00::/7", "fe80::/10"} <= kept_out
