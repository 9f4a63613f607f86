"""TLS, certificates, passwords and rights, on a Kafka that insists on them."""

import asyncio
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from shared.broker import topics_check
from shared.errors import NotFound
from shared.events import Topic
from shared.flows import FLOWS
from shared.stream import Broker, KafkaUnavailable, Outgoing
from shared.stream.kafka import open_producer, read_all
from shared.tokens import Tokens
from tests.support.asked import call_ended, link_in, mail_to
from tests.support.fleet import Fleet, Replica, open_fleet
from tests.support.secured import (
    DESCRIBE,
    GROUP,
    PASSWORD,
    READ,
    TOPIC,
    WRITE,
    Site,
    logged_in,
    rights_of,
    settings_of,
)
from tests.support.system import ROOT

OLD, NEW = "o" * 32, "n" * 32
pytestmark = [pytest.mark.real_kafka, pytest.mark.timeout(180)]


async def up(fleet: Fleet, site: Site, security: str) -> dict[str, Replica]:
    """The four services, each as a user of its own with the rights of its flow."""
    found: dict[str, Replica] = {}
    for service in ("trigger", "scoring", "alerts", "ingest"):
        user = f"{fleet.prefix}{service}"
        site.allow(user, rights_of(service, fleet.prefix))
        found[service] = fleet.add(service, **settings_of(site, user, security, fleet.var))
    (fleet.var / "token-keys").write_text(OLD)
    for replica in found.values():
        await replica.start(
            EARSHOT_TRIGGER_URL=found["trigger"].url,
            EARSHOT_PUBLIC_URL=found["ingest"].url,
            EARSHOT_TOKEN_KEYS="",
            EARSHOT_TOKEN_KEYS_FILE=str(fleet.var / "token-keys"),
        )
    return found


@pytest.mark.parametrize("security", ["tls", "sasl-tls"])
async def test_the_four_services_do_all_with_the_rights_of_their_flows(
    site: Site, tmp_path: Path, security: str
) -> None:
    async with open_fleet(site.ground, tmp_path, ROOT / "programme") as fleet:
        services = await up(fleet, site, security)
        ingest, scoring = services["ingest"], services["scoring"]
        old = await asked(fleet, ingest, 1)
        assert (await fleet.http.post(f"{ingest.url}{old}", data={"score": "2"})).status_code == 303

        async with asyncio.timeout(10):
            while await counted(scoring) != (1, 1):
                await asyncio.sleep(0.05)
        async with asyncio.timeout(10):
            while (
                await services["alerts"].metric(
                    "earshot_consumer_records_total", topic="scored-responses"
                )
                < 1
            ):
                await asyncio.sleep(0.05)
        await keys_rotate(fleet, ingest, old)
        assert "AuthorizationFailed" not in "".join(one.log() for one in fleet.replicas)
        assert PASSWORD not in "".join(one.log() for one in fleet.replicas)
        verbs_come_in(site, fleet, security)


async def asked(fleet: Fleet, ingest: Replica, number: int) -> str:
    """The path of the link in the mail that an event leads to."""
    reply = await fleet.http.post(
        f"{ingest.url}/v1/events", json=call_ended(number),
        headers={"content-type": "application/cloudevents+json"},
    )  # fmt: skip
    assert reply.status_code == 202
    mails = await mail_to(fleet, number)
    (mail,) = [one for one in mails if one["To"] == f"c{number}@example.org"]
    return link_in(mail)


async def keys_rotate(fleet: Fleet, ingest: Replica, old: str) -> None:
    """No process is started again: the next link has the new key, and both kinds are read."""
    beside = fleet.var / "token-keys.new"
    beside.write_text(f"{OLD} {NEW}")
    beside.replace(fleet.var / "token-keys")

    new = await asked(fleet, ingest, 2)

    assert Tokens([NEW]).read_survey(new.rpartition("/")[2]).language == "en"
    with pytest.raises(NotFound):
        Tokens([NEW]).read_survey(old.rpartition("/")[2])
    assert (await fleet.http.post(f"{ingest.url}{new}", data={"score": "4"})).status_code == 303
    assert (await fleet.http.get(f"{ingest.url}{old}")).status_code == 200


async def counted(scoring: Replica) -> tuple[int, int]:
    """Answers and invitations."""
    reply = await scoring.get("/v1/scores", metric="csat", window="24h")
    group = next(iter(reply["groups"]), {"n": 0, "invited": 0})
    return group["n"], group["invited"]


def verbs_come_in(site: Site, fleet: Fleet, security: str) -> None:
    user = f"{fleet.prefix}operator"
    names = [f"{fleet.prefix}{name}" for name in Topic]
    site.allow(user, [(TOPIC, name, DESCRIBE) for name in names])
    site.allow(user, [(TOPIC, f"{fleet.prefix}{Topic.DEAD_LETTERS}", READ)])
    told = {**fleet.environment, **settings_of(site, user, security, fleet.var)}
    assert "9 of 9 topics" in verb("topics", "--check", **told)
    assert "0 dead letters" in verb("deadletters", "list", **told)


def verb(*words: str, **told: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "services", *words],
        cwd=ROOT, env=told, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


async def test_who_may_write_cannot_read_and_the_topic_is_named(site: Site, at_site: str) -> None:
    user = f"{at_site}ingest"
    site.admit(user, PASSWORD)
    site.allow(user, rights_of("ingest", at_site))
    broker = Broker(site.door("SASL_SSL"), "log", at_site, security=logged_in(site, user))
    theirs = f"{at_site}{Topic.SURVEY_RESPONSES}"

    async with open_producer(broker) as producer:
        await producer.send([Outgoing(Topic.SURVEY_RESPONSES, b"k", b"{}")])
        with pytest.raises(KafkaUnavailable, match=f"does not let this user see.*{at_site}scored"):
            await producer.send([Outgoing(Topic.SCORED_RESPONSES, b"k", b"{}")])
    with pytest.raises(KafkaUnavailable, match=f"AuthorizationFailed.*{theirs}"):
        await read_all(broker.bootstrap, theirs, broker.security)
    said = await topics_check(broker, [Topic.SCORED_RESPONSES])()

    assert (
        said == f"{at_site}scored-responses: Kafka's access control does not let this user see it"
    )
    assert await topics_check(broker, FLOWS["ingest"].uses)() is None


async def test_who_may_see_a_topic_and_not_write_it_is_told_which(site: Site, at_site: str) -> None:
    user = f"{at_site}looker"
    site.admit(user, PASSWORD)
    topic, other = f"{at_site}{Topic.TRANSACTIONS}", f"{at_site}{Topic.SUPPORT_CALLS}"
    site.allow(user, [(TOPIC, topic, DESCRIBE)])
    site.allow(user, [(TOPIC, other, WRITE)])
    broker = Broker(site.door("SASL_SSL"), "log", at_site, security=logged_in(site, user))

    async with open_producer(broker) as producer:
        with pytest.raises(KafkaUnavailable, match=f"uthorization.*{topic}"):
            await producer.send([Outgoing(Topic.TRANSACTIONS, b"k", b"{}")])


async def test_a_consumer_that_lacks_a_right_says_which(site: Site, tmp_path: Path) -> None:
    async with open_fleet(site.ground, tmp_path, ROOT / "programme") as fleet:
        rights = rights_of("scoring", fleet.prefix)
        topic = f"{fleet.prefix}{Topic.SURVEY_RESPONSES}"
        lacking = {
            "group": [right for right in rights if right[0] is not GROUP],
            "topic": [right for right in rights if right[1:] != (topic, READ)],
        }
        replicas = {}
        for name, left in lacking.items():
            user = f"{fleet.prefix}{name}"
            site.allow(user, left)
            replicas[name] = fleet.add("scoring", **settings_of(site, user, "tls", tmp_path))
            replicas[name].launch()

        await until_said(replicas["group"], f"GroupAuthorizationFailedError.*{fleet.prefix}earshot")
        await until_said(replicas["topic"], f"TopicAuthorizationFailedError.*{topic}")


async def until_said(replica: Replica, pattern: str) -> None:
    """In `/readyz`, by the consumer."""
    said = ""
    async with asyncio.timeout(40):
        while re.search(pattern, said) is None:
            await asyncio.sleep(0.1)
            with suppress(httpx.HTTPError):
                page = (await replica.http.get(f"{replica.url}/readyz")).json()
                said = page["parts"]["consumer"]
