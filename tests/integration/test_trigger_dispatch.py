"""Dispatch on real PostgreSQL: a crash at each step, suppression in between, channels in turn."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.domain.suppressions import Ground, Suppression
from services.trigger.handlers import Desk, on_batch
from services.trigger.store.dispatch import DispatchStore
from services.trigger.store.ledger import SqlLedger
from services.trigger.store.outbox import Outbox
from services.trigger.store.suppressions import SuppressionStore
from services.trigger.worker.dispatch import Dispatch
from services.trigger.worker.telling import Telling
from shared.db import open_engine
from shared.events import SurveyDecision, SurveyInvitation, Topic, decode_record, decoder
from shared.senders import SendInDoubt
from shared.stream import KafkaUnavailable, Outgoing
from tests.support.trigger import (
    CHANNELS,
    NOW,
    Recorder,
    arrival,
    call_ended,
    later,
    programme,
    refused,
)


class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


class Topics:
    """A producer that keeps what it is given, or is away."""

    def __init__(self) -> None:
        self.records: list[Outgoing] = []
        self.away = False

    async def send(self, records: Sequence[Outgoing]) -> None:
        if self.away:
            raise KafkaUnavailable("away")
        self.records += records

    def states(self) -> list[tuple[int, str, str]]:
        read = decoder(SurveyInvitation)
        told = [r for r in self.records if r.topic == Topic.SURVEY_INVITATIONS]
        found = [decode_record(read, record.value) for record in told]
        return [(state.revision, state.status, state.channel) for state in found]


class Rig:
    """One database, couriers that record, and a clock that is set."""

    def __init__(self, engine: AsyncEngine, *, smtp: bool = False) -> None:
        self.engine = engine
        self.clock = Clock()
        self.topics = Topics()
        self.mail = Recorder(repeatable=not smtp)
        self.hook = Recorder()
        self.couriers = {"email": self.mail, "webhook": self.hook}
        self.suppressions = SuppressionStore(engine)

    def worker(self) -> Dispatch:
        """A worker as a new process would have it."""
        usable = {name for name, courier in self.couriers.items() if courier.repeatable}
        store = DispatchStore(self.engine, repeatable=usable)
        return Dispatch(store, self.couriers, self.clock)

    async def book(self, number: int = 1, **changes: Any) -> None:
        async def publish(decisions: Sequence[SurveyDecision]) -> None: ...

        customer = {"id": f"c-{number}"}
        desk = Desk(programme(**changes), CHANNELS, self.clock())
        async with self.engine.begin() as connection:
            event = call_ended(number, at=self.clock(), customer=customer)
            await on_batch([arrival(event)], [], SqlLedger(connection), publish, desk)

    async def tell(self) -> list[tuple[int, str, str]]:
        before = len(self.topics.states())
        outbox = Outbox(self.engine)
        await Telling(outbox, self.topics, self.clock, asyncio.Event()).once()
        return self.topics.states()[before:]

    async def row(self, columns: str = "status", number: int = 1) -> Any:
        query = f"SELECT {columns} FROM invitations WHERE customer_id = 'c-{number}'"
        async with self.engine.connect() as connection:
            return tuple((await connection.execute(sa.text(query))).one())

    async def reason(self) -> str:
        async with self.engine.connect() as connection:
            query = sa.text("SELECT reason FROM decisions WHERE invitation_id IS NOT NULL")
            return str((await connection.execute(query)).scalar_one())


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(database_url, schema="trigger") as engine:
        async with engine.begin() as connection:
            tables = "events, customers, contacts, decisions, invitations, suppressions"
            await connection.execute(sa.text(f"TRUNCATE {tables}"))
        yield engine


@pytest.fixture
def rig(engine: AsyncEngine) -> Rig:
    return Rig(engine)


@pytest.fixture
def smtp(engine: AsyncEngine) -> Rig:
    return Rig(engine, smtp=True)


async def test_what_is_due_is_sent_once_and_told(rig: Rig) -> None:
    await rig.book()

    assert await rig.worker().once() == 1
    assert await rig.worker().once() == 0

    (letter,) = rig.mail.letters
    assert (letter.email, letter.invitation.segments["queue"]) == ("ann@example.org", "billing")
    assert await rig.row("status, attempts, invited_at") == ("sent", 1, NOW)
    assert await rig.tell() == [(2, "sent", "email")]
    assert await rig.tell() == []


async def test_what_is_scheduled_is_told_and_waits_for_its_time(rig: Rig) -> None:
    await rig.book(trigger={"delay": timedelta(hours=1)})

    assert await rig.tell() == [(1, "scheduled", "email")]
    assert await rig.worker().once() == 0
    rig.clock.now = later(hours=1)
    assert await rig.worker().once() == 1
    assert await rig.tell() == [(2, "sent", "email")]


async def test_many_workers_share_and_nothing_is_sent_twice(rig: Rig) -> None:
    for number in range(60):
        await rig.book(number)
    workers = [rig.worker() for _ in range(4)]

    for _ in range(2):
        await asyncio.gather(*(worker.once() for worker in workers))

    assert len(rig.mail.ids) == len(set(rig.mail.ids)) == 60


async def test_a_crash_before_the_claim_is_committed_leaves_it_to_another(rig: Rig) -> None:
    await rig.book()
    async with rig.engine.connect() as dying:
        claim = "UPDATE invitations SET status = 'sending' WHERE status = 'scheduled'"
        await dying.execute(sa.text(claim))
        assert await rig.worker().once() == 0  # locked: skipped, not waited for
        await dying.rollback()

    assert await rig.worker().once() == 1


@pytest.mark.parametrize("sent", [False, True], ids=["claimed", "sent"])
async def test_after_a_crash_a_repeatable_letter_goes_out_under_the_same_id(
    rig: Rig, *, sent: bool
) -> None:
    await rig.book()
    crashed = rig.worker()
    (letter,) = (await crashed.store.claim(10, NOW)).letters
    if sent:
        await rig.mail.send(letter)

    rig.clock.now = later(seconds=29)
    assert await rig.worker().once() == 0
    rig.clock.now = later(seconds=31)
    assert await rig.worker().once() == 1

    assert set(rig.mail.ids) == {letter.id}
    assert await rig.row() == ("sent",)


async def test_after_a_crash_a_mail_by_smtp_is_not_repeated_but_unknown(smtp: Rig) -> None:
    await smtp.book()
    await smtp.worker().store.claim(10, NOW)

    smtp.clock.now = later(seconds=31)
    assert await smtp.worker().once() == 0

    assert smtp.mail.ids == []
    assert await smtp.row("status, invited_at") == ("unknown", NOW)
    assert await smtp.tell() == [(2, "unknown", "email")]


async def test_the_programme_may_have_doubtful_mails_sent_again(smtp: Rig) -> None:
    base = programme()
    eager = base.surveys["post-call"].model_copy(update={"on_doubt": "resend"})
    await smtp.book(surveys={**base.surveys, "post-call": eager})
    await smtp.worker().store.claim(10, NOW)

    smtp.clock.now = later(seconds=31)

    assert await smtp.worker().once() == 1
    assert await smtp.row() == ("sent",)


async def test_a_sender_that_wakes_up_late_still_says_what_it_knows(smtp: Rig) -> None:
    await smtp.book()
    slow = smtp.worker()
    letters = (await slow.store.claim(10, NOW)).letters
    smtp.clock.now = later(seconds=31)
    await smtp.worker().once()

    slow.launch(letters)
    await slow.finish()

    assert await smtp.row("status, revision") == ("sent", 3)


async def test_a_crash_after_settling_has_still_to_be_told(rig: Rig) -> None:
    await rig.book()
    await rig.worker().once()
    rig.topics.away = True
    with pytest.raises(KafkaUnavailable):
        await rig.tell()
    rig.topics.away = False

    assert await rig.tell() == [(2, "sent", "email")]


async def test_a_connection_that_ends_in_doubt_is_not_repeated(smtp: Rig) -> None:
    await smtp.book()
    smtp.mail.faults = [SendInDoubt("gone")]

    await smtp.worker().once()

    assert await smtp.row("status, detail") == ("unknown", "gone")


async def test_a_fault_for_now_is_tried_again_by_the_same_channel(rig: Rig) -> None:
    await rig.book()
    rig.mail.faults = [refused(permanent=False)]
    worker = rig.worker()

    await worker.once()
    assert await rig.row("status, attempts, revision") == ("scheduled", 1, 1)
    assert worker.fault == "email: refused"
    rig.clock.now = later(seconds=6)
    await worker.once()

    assert len(set(rig.mail.ids)) == 1
    assert await rig.row() == ("sent",)
    assert worker.fault is None


async def test_a_fault_for_good_takes_the_next_channel(rig: Rig) -> None:
    await rig.book()
    rig.mail.faults = [refused(permanent=True)]
    worker = rig.worker()

    await worker.once()
    assert await rig.row("status, channels, revision") == ("scheduled", ["webhook"], 2)
    await worker.once()

    assert rig.mail.ids == rig.hook.ids
    assert await rig.tell() == [(3, "sent", "webhook")]
    assert await rig.reason() == "asked"


async def test_when_every_channel_has_failed_the_ledger_says_so(rig: Rig) -> None:
    await rig.book()
    rig.mail.faults, rig.hook.faults = [refused(permanent=True)], [refused(permanent=True)]
    worker = rig.worker()

    await worker.once()
    await worker.once()

    assert await rig.row() == ("undeliverable",)
    assert await rig.reason() == "channel-failed"
    assert await rig.tell() == [(3, "undeliverable", "webhook")]
    decisions = [r for r in rig.topics.records if r.topic == Topic.SURVEY_DECISIONS]
    assert b'"channel-failed"' in (decisions[0].value or b"")


async def test_what_expired_while_it_waited_is_not_sent(rig: Rig) -> None:
    await rig.book()
    rig.clock.now = later(hours=25)

    assert await rig.worker().once() == 0

    assert await rig.row() == ("expired",)
    assert await rig.reason() == "expired"
    assert await rig.tell() == [(2, "expired", "email")]


async def test_a_suppression_cancels_what_is_scheduled(rig: Rig) -> None:
    await rig.book(trigger={"delay": timedelta(hours=1)})
    await rig.tell()

    await rig.suppressions.add(Suppression("c-1", (), Ground.OPTED_OUT, NOW))

    assert await rig.tell() == [(2, "cancelled", "email")]
    rig.clock.now = later(hours=2)
    assert await rig.worker().once() == 0


async def test_a_suppressed_channel_gives_way_to_the_next(rig: Rig) -> None:
    await rig.book()

    await rig.suppressions.add(Suppression("c-1", ("email",), Ground.OPTED_OUT, NOW))
    await rig.worker().once()

    assert (rig.mail.ids, len(rig.hook.ids)) == ([], 1)
    assert await rig.tell() == [(3, "sent", "webhook")]


async def test_a_send_under_way_is_seen_and_not_repeated_after_the_optout(rig: Rig) -> None:
    await rig.book()
    worker = rig.worker()
    (letter,) = (await worker.store.claim(10, NOW)).letters
    await rig.suppressions.add(Suppression("c-1", (), Ground.OPTED_OUT, NOW))

    assert await rig.suppressions.under_way("c-1")
    rig.mail.faults = [refused(permanent=False)]
    worker.launch([letter])
    await worker.finish()
    assert not await rig.suppressions.under_way("c-1")

    rig.clock.now = later(minutes=1)
    assert await worker.once() == 0
    assert await rig.row() == ("cancelled",)
    assert await rig.reason() == "opted-out"


async def test_after_a_crash_an_opted_out_customer_is_not_sent_the_letter_again(rig: Rig) -> None:
    await rig.book()
    await rig.worker().store.claim(10, NOW)
    await rig.suppressions.add(Suppression("c-1", (), Ground.OPTED_OUT, NOW))

    rig.clock.now = later(seconds=31)
    assert await rig.worker().once() == 0

    assert (await rig.row(), rig.mail.ids) == (("unknown",), [])


async def test_no_send_begins_after_an_optout_was_acknowledged(rig: Rig) -> None:
    """Claims race opt-outs; a send that begins after the acknowledgement is a failure."""
    acknowledged: set[str] = set()
    late: list[str] = []

    class Stamping(Recorder):
        async def send(self, letter: Any) -> None:
            late.extend({letter.invitation.customer_id} & acknowledged)
            await asyncio.sleep(0.002)
            late.extend({letter.invitation.customer_id} & acknowledged)
            await super().send(letter)

    async def opt_out(number: int) -> None:
        await asyncio.sleep(number * 0.001)
        await rig.suppressions.add(Suppression(f"c-{number}", (), Ground.OPTED_OUT, NOW))
        while await rig.suppressions.under_way(f"c-{number}"):
            await asyncio.sleep(0.001)
        acknowledged.add(f"c-{number}")

    async def drain(worker: Dispatch) -> None:
        while await worker.once():
            pass

    rig.couriers["email"] = rig.mail = Stamping()
    for number in range(60):
        await rig.book(number)
    workers = [replace(rig.worker(), concurrency=3) for _ in range(3)]

    await asyncio.gather(*map(drain, workers), *map(opt_out, reversed(range(60))))

    states = [await rig.row(number=number) for number in range(60)]
    assert late == []
    assert set(states) == {("sent",), ("cancelled",)}
    assert len(rig.mail.ids) == states.count(("sent",))


async def test_the_running_worker_is_woken_and_drains(rig: Rig) -> None:
    worker, stop = rig.worker(), asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    await asyncio.sleep(0.05)
    await rig.book()

    worker.due.set()
    async with asyncio.timeout(5):
        while await rig.row() != ("sent",):
            await asyncio.sleep(0.005)
    stop.set()
    await running

    assert len(rig.mail.ids) == 1
