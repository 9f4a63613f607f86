"""One contract, two ledgers: the one in memory earns its trust by the tests of the real one."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from services.trigger.domain.decisions import Decision, decide_question, questions_of
from services.trigger.domain.facts import Cancelling, Facts, Said
from services.trigger.domain.memory import Memory
from services.trigger.domain.questions import Question
from services.trigger.domain.suppressions import Ground, Suppression
from services.trigger.handlers import Booking, Cancel, Desk, Ledger, Wanted
from services.trigger.store.ledger import SqlLedger
from shared.db import open_engine
from shared.events import Event
from shared.programme.asking import Cap
from tests.support.trigger import (
    CHANNELS,
    NOW,
    arrival,
    call_ended,
    programme,
)
from tests.support.trigger_memory import MemoryLedger, past_ask

PER_AGENT = Cap(most=5, per=timedelta(days=1), each=("agent",))
OFTEN = Cap(most=5, per=timedelta(days=7))
DESK = Desk(programme(caps=(OFTEN, PER_AGENT)), CHANNELS, NOW)


@pytest.fixture(params=["memory", "postgres"])
def url(request: pytest.FixtureRequest) -> str | None:
    found: str | None = None
    if request.param == "postgres":
        found = request.getfixturevalue("database_url")
    return found


@pytest.fixture
async def ledger(url: str | None) -> AsyncIterator[Ledger]:
    if url is None:
        yield MemoryLedger()
        return
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(open_engine(url, schema="trigger"))
        connection = await stack.enter_async_context(engine.connect())
        yield SqlLedger(connection)
        await connection.rollback()


def question_of(event: Event) -> Question:
    (question,) = questions_of(arrival(event).occasion, DESK.programme, NOW, NOW)
    return question


def decided(event: Event) -> Decision:
    return decide_question(question_of(event), Facts(CHANNELS), DESK.programme, NOW)


async def booked(ledger: Ledger, number: int = 1) -> Decision:
    decision = decided(call_ended(number))
    assert decision.invitation is not None
    await ledger.book([Booking(decision.invitation, None)], DESK)
    await ledger.record([decision])
    return decision


async def recalled(
    ledger: Ledger, *, invitations: Sequence[str] = (), subjects: Sequence[str] = ()
) -> Memory:
    people = ["c-1", "c-2", "c-3"]
    named = sorted({*invitations, "i-other"})
    wanted = Wanted(people, people, named, subjects, [("agent", "a-7"), ("agent", "a-8")])
    return await ledger.recall(wanted, DESK)


async def test_an_event_is_new_once(ledger: Ledger) -> None:
    first, second = arrival(call_ended(1)), arrival(call_ended(2))

    assert await ledger.remember([first], DESK) == {first.key}
    assert await ledger.remember([first, second], DESK) == {second.key}
    assert await ledger.remember([], DESK) == set()


async def test_what_is_booked_was_asked_has_an_owner_and_counts(ledger: Ledger) -> None:
    decision = await booked(ledger)
    again = await booked(ledger)
    assert decision.invitation is not None
    known = decision.invitation.id

    memory = await recalled(ledger, invitations=[known])

    assert again.invitation_id == known
    assert known in memory.asked
    asked = replace(past_ask(decision.invitation), segments={})
    assert [replace(ask, segments={}) for ask in memory.asks["c-1"]] == [asked]
    assert [replace(ask, segments={}) for ask in memory.groups["agent", "a-7"]] == [asked]
    assert not memory.groups.get(("agent", "a-8"))
    assert await ledger.customers_of([known, "i-other"]) == {known: "c-1"}
    assert await ledger.customers_of([]) == {}


async def test_what_has_not_left_counts_as_leaving_now(ledger: Ledger) -> None:
    """Else what waits for a mail server that is away would leave with what is asked meanwhile."""
    decision = await booked(ledger)
    assert decision.invitation_id is not None
    later = replace(DESK, now=NOW + timedelta(days=30))
    wanted = Wanted(["c-1"], ["c-1"], [decision.invitation_id], [], [("agent", "a-7")])

    memory = await ledger.recall(wanted, later)

    assert [ask.at for ask in memory.asks["c-1"]] == [later.now]


async def test_suppressions_add_up_by_channel(ledger: Ledger) -> None:
    await ledger.lock(["c-1", "c-2"], NOW)
    await ledger.suppress([Suppression("c-1", ("email",), Ground.OPTED_OUT, NOW)])
    await ledger.suppress([Suppression("c-1", ("sms",), Ground.COMPLAINT, NOW)] * 2)
    await ledger.suppress([Suppression("c-2", (), Ground.ERASED, NOW)])

    memory = await recalled(ledger)

    assert memory.closed("c-1") == {"email", "sms"}
    assert memory.closed("c-2") == CHANNELS
    assert memory.closed("c-3") == set()


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2), (2, 3, 1)])
async def test_the_newest_word_on_a_channel_counts_and_of_two_at_once_the_no(
    ledger: Ledger, order: tuple[int, ...]
) -> None:
    later = NOW + timedelta(minutes=5)
    said = {1: (NOW, True), 2: (later, True), 3: (later, False)}

    for number in order:
        at, yes = said[number]
        event = call_ended(number, at=at, customer={"consent": {"email": yes}})
        await ledger.remember([arrival(event)], DESK)

    memory = await recalled(ledger)
    assert memory.consents["c-1"] == {"email": Said(yes=False, at=later)}


async def test_a_yes_from_a_clock_that_is_ahead_does_not_outlive_a_later_no(ledger: Ledger) -> None:
    far = NOW + timedelta(days=3650)
    for number, (at, yes) in enumerate([(far, True), (NOW + timedelta(hours=1), False)], 1):
        event = call_ended(number, at=at, customer={"consent": {"email": yes}})
        heard = replace(DESK, now=NOW + timedelta(hours=number - 1))
        await ledger.remember([arrival(event)], heard)

    memory = await recalled(ledger)
    assert memory.consents["c-1"]["email"].yes is False


async def test_what_cancels_is_known_by_subject_and_customer(ledger: Ledger) -> None:
    at = NOW - timedelta(minutes=1)
    cancels = [
        Cancel("after-delivery", "o-1", "c-1", "transaction.refunded", at),
        Cancel("after-delivery", "o-2", "", "transaction.cancelled", at),
    ]

    await ledger.cancel(cancels)

    memory = await recalled(ledger, subjects=["o-1", "o-2"])
    assert memory.cancelling["o-1", "c-1"] == [Cancelling("transaction.refunded", at)]
    assert memory.cancelling["o-2", ""] == [Cancelling("transaction.cancelled", at)]


async def test_what_waits_is_taken_when_it_is_due_and_forgotten_once(ledger: Ledger) -> None:
    changed = DESK.programme.triggers["after-call"].model_copy(update={"delay": timedelta(hours=1)})
    asking = question_of(call_ended(1))
    slow = Question(asking.occasion, changed, NOW, NOW, "trace")
    await ledger.lock(["c-1"], NOW)
    await ledger.wait([slow], DESK.programme)

    (waiting,) = await ledger.take_due(10, NOW + timedelta(hours=1))
    await ledger.forget([waiting])

    assert (waiting.trigger, waiting.subject_id) == ("after-call", "call-1")
    assert waiting.event == asking.occasion.event
    assert (waiting.heard_at, waiting.due_at) == (NOW, NOW + timedelta(hours=1))
    assert waiting.traceparent == "trace"
    assert not await ledger.take_due(10, NOW + timedelta(hours=1))


async def test_another_event_of_a_subject_that_settles_puts_all_off(ledger: Ledger) -> None:
    settles = DESK.programme.triggers["after-call"].model_copy(
        update={"settle": timedelta(minutes=1)}
    )

    def heard(number: int, at: datetime) -> Question:
        event = call_ended(number, call={"id": "call-1"})
        return Question(question_of(event).occasion, settles, at, at)

    await ledger.lock(["c-1"], NOW)
    await ledger.wait([heard(1, NOW)], DESK.programme)
    await ledger.wait([heard(2, NOW + timedelta(seconds=30))], DESK.programme)

    due = await ledger.take_due(10, NOW + timedelta(seconds=90))

    assert max(each.due_at for each in due) == NOW + timedelta(seconds=90)
    assert {each.event.id for each in due} == {"evt-1", "evt-2"}
