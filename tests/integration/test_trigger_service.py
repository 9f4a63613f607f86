"""The whole service on the Kafka mock and on Kafka: an event in, a mail out."""

import asyncio
import email
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from email.policy import default
from pathlib import Path

import httpx
import pytest
from aiokafka import AIOKafkaConsumer
from pydantic import SecretStr

from services.trigger.app import open_service
from services.trigger.settings import TriggerSettings
from shared.clock import utc_now
from shared.cloudevents import to_structured
from shared.events import SurveyDecision, SurveyInvitation, SurveyOptout, Topic
from shared.process import Service
from shared.stream import Broker, Outgoing
from shared.stream.kafka import open_producer
from shared.wire import decoder, encode
from tests.support.kafka import on_both
from tests.support.trigger import ROOT, call_ended

HEADERS = (("content-type", b"application/cloudevents+json"), ("traceparent", b"00-ab-cd-01"))


class Rig:
    def __init__(self, database_url: str, broker: Broker, var: Path) -> None:
        self.broker = broker
        self.mail = var / "mail"
        self.settings = TriggerSettings(
            kafka_bootstrap=broker.bootstrap,
            kafka_log=broker.log,
            kafka_topic_prefix=broker.prefix,
            kafka_embedded=broker.embedded,
            database_url=SecretStr(database_url),
            token_keys=SecretStr("0123456789abcdef0123456789abcdef"),
            programme=ROOT / "programme",
            var=var,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Service]:
        stop = asyncio.Event()
        async with open_service(self.settings) as service:
            workers = [asyncio.ensure_future(worker(stop)) for worker in service.workers]
            try:
                yield service
            finally:
                stop.set()
                await asyncio.wait_for(asyncio.gather(*workers), 10)

    async def send(self, *records: Outgoing) -> None:
        async with open_producer(self.broker) as producer:
            await producer.send(records)

    async def mails(self, count: int) -> list[Path]:
        async with asyncio.timeout(20):
            while len(found := sorted(self.mail.glob("*.eml"))) < count:
                await asyncio.sleep(0.01)
        return found

    async def read(self, topic: Topic, count: int) -> list[bytes]:
        consumer = AIOKafkaConsumer(
            f"{self.broker.prefix}{topic}",
            bootstrap_servers=self.broker.bootstrap,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        found: list[bytes] = []
        try:
            async with asyncio.timeout(20):
                while len(found) < count:
                    for records in (await consumer.getmany(timeout_ms=100)).values():
                        found += [record.value for record in records]
        finally:
            await consumer.stop()
        return found


@pytest.fixture
def rig(fresh_database_url: str, broker: Broker, tmp_path: Path) -> Rig:
    return Rig(fresh_database_url, broker, tmp_path)


def event(number: int, customer: str) -> Outgoing:
    found = call_ended(number, at=utc_now() - timedelta(seconds=1), customer={"id": customer})
    return Outgoing(Topic.SUPPORT_CALLS, customer.encode(), to_structured(found), HEADERS)


@on_both
async def test_an_event_becomes_a_mail_and_everybody_hears_of_it(rig: Rig) -> None:
    foreign = Outgoing(
        Topic.SUPPORT_CALLS,
        b"c-9",
        to_structured(call_ended(9)).replace(b"support_call.ended", b"invoice.paid"),
        HEADERS,
    )
    poison = Outgoing(Topic.SUPPORT_CALLS, b"c-8", b"{", HEADERS)
    async with rig.running() as service:
        await rig.send(event(1, "c-1"), foreign, poison, event(1, "c-1"))
        (mail,) = await rig.mails(1)
        message = email.message_from_bytes(mail.read_bytes(), policy=default)
        assert message["To"] == "ann@example.org"
        assert message["Message-ID"] == f"<{mail.stem}@localhost>"

        (decided,) = await rig.read(Topic.SURVEY_DECISIONS, 1)
        decision = decoder(SurveyDecision).decode(decided)
        assert (decision.reason, decision.invitation_id) == ("asked", mail.stem)
        told = await rig.read(Topic.SURVEY_INVITATIONS, 1)
        invitation = decoder(SurveyInvitation).decode(told[-1])
        assert (invitation.id, invitation.status) == (mail.stem, "sent")
        (letter,) = await rig.read(Topic.DEAD_LETTERS, 1)
        assert letter == b"{"

        web = httpx.ASGITransport(service.web)
        async with httpx.AsyncClient(transport=web, base_url="http://trigger") as client:
            assert (await client.get("/healthz")).status_code == 200
            shown = (await client.get(f"/v1/invitations/{mail.stem}")).json()
            assert shown["status"] == "sent"


@pytest.mark.thorough
async def test_after_a_restart_and_an_optout_on_the_topic_nothing_is_asked_again(rig: Rig) -> None:
    async with rig.running():
        await rig.send(event(1, "c-1"))
        (mail,) = await rig.mails(1)
    optout = encode(SurveyOptout(invitation_id=mail.stem, at=utc_now()))

    async with rig.running():
        await rig.send(Outgoing(Topic.SURVEY_OPTOUTS, mail.stem.encode(), optout))
        await rig.send(event(1, "c-1"), event(2, "c-2"))
        assert len(await rig.mails(2)) == 2
        await rig.send(event(3, "c-1"))
        read = decoder(SurveyDecision)
        found = [read.decode(value) for value in await rig.read(Topic.SURVEY_DECISIONS, 3)]

    reasons = {decision.event_id: decision.reason for decision in found}
    assert reasons == {"evt-1": "asked", "evt-2": "asked", "evt-3": "opted-out"}
