"""What keeps one out of a Kafka that insists on who one is, in words; and what is renewed."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop

from shared.broker import topics_check
from shared.events import Topic
from shared.security import Login, Security
from shared.stream import Broker, KafkaUnavailable, Outgoing
from shared.stream.kafka import create_topics, open_producer
from shared.tls import Trust
from tests.support.fleet import open_fleet
from tests.support.kafka import draw_prefix
from tests.support.secured import (
    CREATE,
    DESCRIBE,
    MECHANISM,
    PASSWORD,
    TOPIC,
    Site,
    logged_in,
    rights_of,
    settings_of,
)
from tests.support.system import ROOT

pytestmark = [pytest.mark.real_kafka, pytest.mark.timeout(180)]


def faults(site: Site) -> dict[str, tuple[str, Security, str]]:
    """Where to, how, and what is said of it."""
    ours, theirs = site.authority.ca, site.stranger.ca
    mine, alien = site.authority.issue("some"), site.stranger.issue("some")
    known = Login(MECHANISM, "known", PASSWORD)
    sasl, tls = site.door("SASL_SSL"), site.door("SSL")
    return {
        "password": (sasl, logged_in(site, "known", "wrong-secret"), "password of the user known"),
        "user": (sasl, logged_in(site, "nobody", "wrong-secret"), "knows no such user"),
        "mechanism": (sasl, logged_in(site, "known", mechanism="PLAIN"), "does not offer PLAIN"),
        "no file": (sasl, logged_in(site, "known", site.folder / "none"), "none cannot be read"),
        "authority": (sasl, Security(Trust(theirs), known), "signed by none whom we trust"),
        "this machine's": (sasl, Security(Trust(), known), "signed by none whom we trust"),
        "name": (
            site.door("SASL_SSL", "localhost"), Security(Trust(ours), known), "for another name",
        ),
        "no certificate": (tls, Security(Trust(ours)), "does not take our certificate"),
        "alien": (tls, Security(Trust(ours, alien.cert, alien.key)), "not take our certificate"),
        "plaintext": (tls, Security(), "may not be what it speaks there"),
        "tls": (
            site.ground.kafka.bootstrap, Security(Trust(ours, mine.cert, mine.key)),
            "EARSHOT_KAFKA_SECURITY",
        ),
    }  # fmt: skip


@pytest.fixture(scope="module")
def services_loop() -> Iterator[asyncio.Runner]:
    """The services' own loop, whose errors are not asyncio's.

    Connections that were refused in the middle of a handshake go on closing after the client has
    left them; uvloop cannot be closed meanwhile.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield runner
        runner.run(asyncio.sleep(1))


async def said_of(broker: Broker) -> str | None:
    return await topics_check(broker, ())()


@pytest.mark.parametrize(
    "fault",
    [
        "password", "user", "mechanism", "no file", "authority", "this machine's", "name",
        "no certificate", "alien", "plaintext", "tls",
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_never_the_secret(
    site: Site, services_loop: asyncio.Runner, fault: str
) -> None:
    site.admit("known", PASSWORD)
    bootstrap, security, expected = faults(site)[fault]
    broker = Broker(bootstrap, "log", security=security)

    said = services_loop.run(said_of(broker))

    assert said is not None
    assert expected in said
    assert bootstrap in said
    assert "wrong-secret" not in said
    assert PASSWORD not in said


async def test_a_process_that_is_not_let_in_says_why(site: Site, tmp_path: Path) -> None:
    async with open_fleet(site.ground, tmp_path, ROOT / "programme") as fleet:
        told = settings_of(site, f"{fleet.prefix}ingest", "sasl-tls", tmp_path)
        (tmp_path / f"{fleet.prefix}ingest.password").write_text("wrong-secret")
        ingest, scoring = fleet.add("ingest", **told), fleet.add("scoring", **told)
        await ingest.start()  # ready to say 503
        scoring.launch()

        page = (await fleet.http.get(f"{ingest.url}/readyz")).json()
        async with asyncio.timeout(20):
            while "waiting for kafka" not in scoring.log():
                await asyncio.sleep(0.1)

        assert "password of the user" in page["parts"]["kafka"]
        for replica in (ingest, scoring):
            assert "password of the user" in replica.log()
            assert "wrong-secret" not in replica.log()
            assert PASSWORD not in replica.log()


async def test_a_renewed_password_is_used_by_the_next_connection(
    site: Site, at_site: str, tmp_path: Path
) -> None:
    user, secret = f"{at_site}ingest", tmp_path / "password"
    site.admit(user, PASSWORD)
    site.allow(user, rights_of("ingest", at_site))
    secret.write_text(PASSWORD)
    security = logged_in(site, user, secret)
    broker = Broker(site.door("SASL_SSL"), "log", at_site, security=security)

    async with open_producer(broker) as producer:
        await producer.send([Outgoing(Topic.TRANSACTIONS, b"k", b"before")])
        client = producer._client  # noqa: SLF001
        site.admit(user, "renewed-since")
        secret.write_text("renewed-since")
        await client.client.close()  # as a broker that restarts does
        client.client._conns.clear()  # noqa: SLF001
        await producer.send([Outgoing(Topic.TRANSACTIONS, b"k", b"after")])

        # the same client made the new connection
        assert producer._client is client  # noqa: SLF001


async def test_a_renewed_certificate_is_used_by_the_next_connection(
    site: Site, at_site: str, tmp_path: Path
) -> None:
    user = f"{at_site}ingest"
    site.allow(user, rights_of("ingest", at_site))
    alien, mine = site.stranger.issue(user), site.authority.issue(user)
    cert, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    trust = Trust(site.authority.ca, cert, key)
    broker = Broker(site.door("SSL"), "log", at_site, security=Security(trust))
    cert.write_bytes(alien.cert.read_bytes())
    key.write_bytes(alien.key.read_bytes())

    async with open_producer(broker) as producer:
        before = producer.ready
        assert before is False
        cert.write_bytes(mine.cert.read_bytes())
        key.write_bytes(mine.key.read_bytes())
        async with asyncio.timeout(10):
            while not producer.ready:
                await asyncio.sleep(0.05)
        await producer.send([Outgoing(Topic.TRANSACTIONS, b"k", b"{}")])


async def test_a_password_without_tls_is_never_sent_as_it_is(site: Site, at_site: str) -> None:
    """SCRAM proves that one knows it."""
    site.admit("known", PASSWORD)
    security = Security(login=Login(MECHANISM, "known", PASSWORD))
    assert (
        await topics_check(Broker(site.door("SASL_PLAINTEXT"), "log", security=security), ())()
        is None
    )


async def test_topics_are_made_by_who_may_create_them(site: Site) -> None:
    prefix = draw_prefix()
    user, names = f"{prefix}topics", [f"{prefix}{topic}" for topic in Topic]
    site.admit(user, PASSWORD)
    site.allow(user, [(TOPIC, name, DESCRIBE) for name in names])
    where, security = site.door("SASL_SSL"), logged_in(site, user)
    with pytest.raises(KafkaUnavailable, match=f"topic {prefix}.*AuthorizationFailed"):
        await create_topics(where, prefix=prefix, security=security)

    site.allow(user, [(TOPIC, name, CREATE) for name in names])

    assert sorted(await create_topics(where, prefix=prefix, security=security)) == sorted(names)
