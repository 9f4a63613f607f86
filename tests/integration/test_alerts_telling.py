"""Alerts are published and told: each destination by itself, nobody of the past."""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from standardwebhooks import Webhook

from services.alerts.domain.alerts import Alert, Change, State
from services.alerts.domain.cases import Case, Docket
from services.alerts.domain.deliveries import GIVE_UP, LEASE, REPEAT
from services.alerts.store.alerts import write_docket
from services.alerts.store.outbox import Outbox
from services.alerts.store.retention import delete_old
from services.alerts.worker.couriers import AlertmanagerCourier, Courier, WebhookCourier
from services.alerts.worker.delivering import Delivering
from services.alerts.worker.publishing import Publishing
from shared.db import open_engine
from shared.senders.alertmanager import AlertmanagerSender
from shared.senders.webhook import Destination, WebhookSender, open_client
from shared.stream.records import KafkaUnavailable, Outgoing
from tests.support.alerts import an_alert
from tests.support.receivers import Receiver, open_receiver

SECRET = "whsec_" + "c2VjcmV0" * 4
NOON = datetime.now(UTC).replace(microsecond=0)  # a webhook's receiver looks at the wall clock


class Stage:
    """The outbox with destinations whose clock is ours."""

    def __init__(self, engine: AsyncEngine, client: httpx.AsyncClient) -> None:
        self.engine = engine
        self.client = client
        self.now = NOON
        self.outbox = Outbox(engine)
        self.deliverings: dict[str, Delivering] = {}

    def clock(self) -> datetime:
        return self.now

    def add(self, name: str, url: str, kind: str) -> Delivering:
        courier: Courier
        if kind == "webhook":
            sender = WebhookSender(self.client, Destination(url, SECRET), self.clock)
            courier = WebhookCourier(sender, self.clock)
        else:
            courier = AlertmanagerCourier(
                AlertmanagerSender(self.client, url), "http://alerts", self.clock
            )
        self.deliverings[name] = Delivering(name, self.outbox, courier, self.clock)
        return self.deliverings[name]

    async def tell(self, *changes: tuple[Alert, Change]) -> None:
        docket = Docket()
        for alert, change in changes:
            docket.put(Case(alert, (0,), 1, alert.n, alert.severity), change)
        ways = {name: one.courier.way for name, one in self.deliverings.items()}
        async with self.engine.begin() as connection:
            await write_docket(connection, docket, ways)

    async def states(self) -> list[tuple[str, str, int]]:
        async with self.engine.connect() as connection:
            rows = await connection.exec_driver_sql(
                "SELECT destination, state, attempts FROM deliveries ORDER BY 1, revision"
            )
            return [tuple(row) for row in rows]


@pytest.fixture
async def stage(fresh_database_url: str) -> AsyncIterator[Stage]:
    async with (
        open_engine(fresh_database_url, schema="alerts") as engine,
        open_client(timeout_s=2) as client,
    ):
        yield Stage(engine, client)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with open_receiver() as receiver:
        yield receiver


def fresh(**changed: object) -> Alert:
    times = dict.fromkeys(("began_at", "opened_at", "raised_at", "updated_at"), NOON)
    return an_alert(**(times | changed))


async def test_a_webhook_gets_each_change_once_signed_as_published(
    stage: Stage, receiver: Receiver
) -> None:
    hook = stage.add("hook", receiver.url, "webhook")
    alert = fresh()
    ended = alert.end(State.RESOLVED, NOON, NOON)
    await stage.tell((alert, Change.OPENED), (ended, Change.RESOLVED))

    await hook.turn()
    await hook.turn()

    assert sorted(h["webhook-id"] for _, h, _ in receiver.got) == ["a-1.1", "a-1.2"]
    for _, headers, body in receiver.got:
        Webhook(SECRET).verify(body.decode(), headers)
    bodies = sorted(receiver.bodies(), key=lambda body: body["revision"])
    assert [body["change"] for body in bodies] == ["opened", "resolved"]
    assert bodies[0]["schema"] == "detractor-alert/1"


async def test_alertmanager_is_told_again_while_it_fires_and_then_that_it_is_over(
    stage: Stage, receiver: Receiver
) -> None:
    manager = stage.add("ops", receiver.url, "alertmanager")
    alert = fresh()
    await stage.tell((alert, Change.OPENED))

    await manager.turn()
    await manager.turn()  # not yet again
    stage.now += REPEAT
    await manager.turn()
    await stage.tell((alert.end(State.RESOLVED, stage.now, stage.now), Change.RESOLVED))
    await manager.turn()
    stage.now += 2 * REPEAT
    await manager.turn()

    ends = [body[0]["endsAt"][:19] for body in receiver.bodies()]
    assert ends == [(NOON + timedelta(minutes=minutes)).isoformat()[:19] for minutes in (5, 6, 1)]
    assert {json.dumps(body[0]["labels"]) for body in receiver.bodies()} == {
        json.dumps(receiver.bodies()[0][0]["labels"])
    }
    assert await stage.states() == [("ops", "sent", 0)]


async def test_a_destination_that_fails_is_tried_again_later(
    stage: Stage, receiver: Receiver
) -> None:
    receiver.statuses += [503, 503]
    hook = stage.add("hook", receiver.url, "webhook")
    await stage.tell((fresh(), Change.OPENED))

    for seconds in (0, 0, 1, 1, 2):
        stage.now += timedelta(seconds=seconds)
        await hook.turn()

    assert len(receiver.got) == 3
    assert {headers["webhook-id"] for _, headers, _ in receiver.got} == {"a-1.1"}
    assert await stage.states() == [("hook", "sent", 0)]
    assert hook.fault is None


async def test_a_destination_that_refuses_has_a_dead_letter_of_its_own(
    stage: Stage, receiver: Receiver
) -> None:
    receiver.statuses += [410]
    hook = stage.add("hook", receiver.url, "webhook")
    dead = stage.add("dead", "http://127.0.0.1:9", "webhook")
    await stage.tell((fresh(), Change.OPENED))

    await dead.turn()
    await hook.turn()
    stage.now += GIVE_UP
    await dead.turn()

    assert await stage.states() == [("dead", "dead", 2), ("hook", "dead", 1)]
    assert dead.fault is not None


async def test_a_dead_destination_delays_nobody(stage: Stage, receiver: Receiver) -> None:
    dead = stage.add("dead", "http://127.0.0.1:9", "alertmanager")
    manager = stage.add("ops", receiver.url, "alertmanager")
    await stage.tell((fresh(), Change.OPENED))

    await manager.turn()
    assert len(receiver.got) == 1
    await dead.turn()
    stage.now += GIVE_UP + timedelta(hours=1)  # it fires on, so it is tried on
    await dead.turn()

    assert (await stage.states())[0] == ("dead", "pending", 2)


async def test_one_alert_that_is_refused_spoils_no_other(stage: Stage, receiver: Receiver) -> None:
    receiver.statuses += [400, 400, 200]
    manager = stage.add("ops", receiver.url, "alertmanager")
    await stage.tell((fresh(), Change.OPENED), (fresh(id="a-2"), Change.OPENED))

    await manager.turn()

    assert sorted(state for _, state, _ in await stage.states()) == ["dead", "pending"]


async def test_what_a_dead_sender_had_claimed_is_sent_by_another(
    stage: Stage, receiver: Receiver
) -> None:
    hook = stage.add("hook", receiver.url, "webhook")
    await stage.tell((fresh(), Change.OPENED))
    assert len(await stage.outbox.claim("hook", 8, stage.now)) == 1  # and then it dies

    await hook.turn()
    assert receiver.got == []
    stage.now += LEASE
    await hook.turn()

    assert len(receiver.got) == 1


async def test_historic_alerts_are_published_and_tell_nobody(
    stage: Stage, receiver: Receiver
) -> None:
    hook = stage.add("hook", receiver.url, "webhook")
    await stage.tell((fresh(historic=True), Change.OPENED))
    kafka = FakeKafka()

    await hook.turn()
    await Publishing(stage.outbox, kafka).turn()

    assert receiver.got == []
    assert [json.loads(record.value or b"")["historic"] for record in kafka.taken] == [True]


async def test_records_are_published_once_kafka_takes_them(stage: Stage) -> None:
    alert = fresh()
    ended = alert.end(State.ACCEPTED, NOON, NOON)
    await stage.tell((alert, Change.OPENED), (ended, Change.ACCEPTED))
    kafka = FakeKafka(failures=1)
    publishing = Publishing(stage.outbox, kafka)

    with pytest.raises(KafkaUnavailable):
        await publishing.turn()
    await publishing.turn()
    await publishing.turn()

    records = [json.loads(record.value or b"") for record in kafka.taken]
    assert [(r["id"], r["revision"], r["change"]) for r in records] == [
        ("a-1", 1, "opened"), ("a-1", 2, "accepted"),
    ]  # fmt: skip
    assert {(r.topic, r.key) for r in kafka.taken} == {("detractor-alerts", b"a-1")}


async def test_old_rows_go_and_what_is_pending_stays(stage: Stage) -> None:
    stage.add("hook", "http://127.0.0.1:9", "webhook")
    await stage.tell((fresh(), Change.OPENED))
    later = NOON + timedelta(days=99)

    gone = await delete_old(stage.engine, timedelta(days=60), later)
    assert not any(gone.values())
    await Publishing(stage.outbox, FakeKafka()).turn()

    assert (await delete_old(stage.engine, timedelta(days=60), later))["changes"] == 1


class FakeKafka:
    """Takes records; fails as often as told."""

    def __init__(self, failures: int = 0) -> None:
        self.taken: list[Outgoing] = []
        self._failures = failures

    async def send(self, records: Sequence[Outgoing]) -> None:
        if self._failures:
            self._failures -= 1
            raise KafkaUnavailable("away")
        self.taken += records
