"""Strimzi's topics are those that the services make; a user may do what its service does."""

import pytest

from shared.events import PARTITIONS, Topic
from shared.flows import FLOWS, group_of
from shared.stream.kafka.topics import topic_config
from tests.support.manifests import (
    CONSUMERS,
    Manifest,
    container,
    manifests_of,
    named,
    one,
    overlaid,
    pod,
    prod,
)

pytestmark = pytest.mark.tools
__all__ = ["overlaid", "prod"]

CONNECTED = [*(("Deployment", name) for name in (*FLOWS, "operator")), ("Job", "topics")]
COPIES = {"dev": 1, "prod": 3}
Rights = set[tuple[str, str, str]]


@pytest.mark.parametrize("name", COPIES)
def test_the_topics_are_those_that_the_verb_makes(name: str) -> None:
    topics = {t["metadata"]["name"]: t["spec"] for t in named(manifests_of(name), "KafkaTopic")}

    assert topics == {
        str(topic): {
            "partitions": PARTITIONS,
            "replicas": COPIES[name],
            "config": {
                key: int(value) if value.isdigit() else value
                for key, value in topic_config(topic, COPIES[name]).items()
            },
        }
        for topic in Topic
    }


def rights_of(manifests: list[Manifest], name: str) -> Rights:
    user = one(manifests, "KafkaUser", f"earshot-{name}")["spec"]
    assert user["authentication"] == {"type": "tls"}
    assert user["authorization"]["type"] == "simple"
    rules = user["authorization"]["acls"]
    assert all(rule["resource"]["patternType"] == "literal" for rule in rules)
    return {
        (rule["resource"]["type"], rule["resource"]["name"], operation)
        for rule in rules
        for operation in rule["operations"]
    }


@pytest.mark.parametrize("name", FLOWS)
def test_a_service_may_read_what_it_reads_and_write_what_it_writes(
    overlaid: list[Manifest], name: str
) -> None:
    flow = FLOWS[name]
    needed: Rights = {("topic", str(topic), "Describe") for topic in flow.uses}
    needed |= {("topic", str(topic), "Read") for topic in flow.reads}
    needed |= {("topic", str(topic), "Write") for topic in flow.writes}
    needed |= {("group", group_of(name), "Read")} if flow.reads else set()

    assert rights_of(overlaid, name) == needed


def test_the_job_may_only_look(overlaid: list[Manifest]) -> None:
    assert rights_of(overlaid, "topics") == {("topic", str(topic), "Describe") for topic in Topic}
    assert container(overlaid, "Job", "topics")["command"][-2:] == ["topics", "--check"]


def test_keda_may_only_look_at_what_is_read(overlaid: list[Manifest]) -> None:
    read = {topic for flow in FLOWS.values() for topic in flow.reads}

    assert rights_of(overlaid, "keda") == {
        *(("topic", str(topic), "Describe") for topic in read),
        *(("group", group_of(name), "Describe") for name in CONSUMERS),
    }


def test_an_operator_may_send_letters_back_to_where_they_were_read(
    overlaid: list[Manifest],
) -> None:
    read = {topic for flow in FLOWS.values() for topic in flow.reads}

    assert rights_of(overlaid, "operator") == {
        *(("topic", str(topic), right) for topic in read for right in ("Describe", "Write")),
        *(("topic", str(Topic.DEAD_LETTERS), right) for right in ("Describe", "Read", "Write")),
    }


def test_there_is_no_user_besides(overlaid: list[Manifest]) -> None:
    users = {user["metadata"]["name"] for user in named(overlaid, "KafkaUser")}

    assert users == {f"earshot-{name}" for name in (*FLOWS, "topics", "keda", "operator")}


def test_kafka_talks_to_nobody_without_a_certificate(overlaid: list[Manifest]) -> None:
    kafka = one(overlaid, "Kafka", "earshot")["spec"]["kafka"]
    (listener,) = kafka["listeners"]

    assert (listener["type"], listener["tls"]) == ("internal", True)
    assert listener["authentication"] == {"type": "tls"}
    assert listener["networkPolicyPeers"]
    assert kafka["authorization"] == {"type": "simple"}
    assert kafka["config"]["auto.create.topics.enable"] is False


def test_production_survives_a_broker_and_loses_no_write(prod: list[Manifest]) -> None:
    pools = {pool["metadata"]["name"]: pool["spec"] for pool in named(prod, "KafkaNodePool")}
    config = one(prod, "Kafka", "earshot")["spec"]["kafka"]["config"]
    volumes = [volume for pool in pools.values() for volume in pool["storage"]["volumes"]]

    assert {name: (p["roles"], p["replicas"]) for name, p in pools.items()} == {
        "brokers": (["broker"], 3),
        "controllers": (["controller"], 3),
    }
    assert config["default.replication.factor"] == config["offsets.topic.replication.factor"] == 3
    assert config["min.insync.replicas"] == config["transaction.state.log.min.isr"] == 2
    assert all((v["type"], v["deleteClaim"]) == ("persistent-claim", False) for v in volumes)


def test_kafkas_pods_run_without_rights(overlaid: list[Manifest]) -> None:
    kafka = one(overlaid, "Kafka", "earshot")["spec"]
    (controllers,) = [
        pool["spec"]["template"]
        for pool in named(overlaid, "KafkaNodePool")
        if pool["metadata"]["name"] == "controllers"
    ]
    entity = kafka["entityOperator"]["template"]
    templates = [kafka["kafka"]["template"], controllers, entity]
    contexts = [
        template[name]["securityContext"]
        for template in templates
        for name in template
        if name.endswith("Container")
    ]

    assert len(contexts) == 4
    for context in contexts:
        assert context == {
            "allowPrivilegeEscalation": False,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        }
    assert all(template["pod"]["securityContext"]["runAsNonRoot"] for template in templates)


@pytest.mark.parametrize(("kind", "name"), CONNECTED)
def test_a_workload_shows_its_own_certificate(
    overlaid: list[Manifest], kind: str, name: str
) -> None:
    (volume,) = [v for v in pod(overlaid, kind, name)["volumes"] if v["name"] == "kafka"]
    secrets = [source["secret"]["name"] for source in volume["projected"]["sources"]]
    environment = {e["name"]: e["value"] for e in container(overlaid, kind, name)["env"]}
    settings = one(overlaid, "ConfigMap", "earshot")["data"]

    assert secrets == [f"earshot-{name}", "earshot-cluster-ca-cert"]
    assert settings["EARSHOT_KAFKA_SECURITY"] == "tls"
    assert settings["EARSHOT_KAFKA_BOOTSTRAP"] == "earshot-kafka-bootstrap.earshot.svc:9093"
    for key, file in (("CA", "ca.crt"), ("CERT", "user.crt"), ("KEY", "user.key")):
        assert environment[f"EARSHOT_KAFKA_{key}_FILE"] == f"/run/secrets/kafka/{file}"
