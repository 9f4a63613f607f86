"""One contract, two ledgers: the one in memory earns its trust by the tests of the real one."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from services.trigger.domain.decisions import decide
from services.trigger.domain.guards import Facts
from services.trigger.domain.suppressions import Ground, Suppression
from services.trigger.handlers import Booking, Ledger
from services.trigger.store.ledger import SqlLedger
from shared.db import open_engine
from tests.support.trigger import CHANNELS, NOW, MemoryLedger, arrival, call_ended, programme


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


async def booked(ledger: Ledger, number: int = 1) -> str:
    event = call_ended(number)
    (decision,) = decide(event, Facts(channels=CHANNELS), programme(), NOW)
    customer = arrival(event).occasion.customer
    assert decision.invitation is not None
    assert customer is not None
    await ledger.book([Booking(decision.invitation, customer, NOW, None)], NOW)
    await ledger.record([decision])
    return decision.invitation.id


async def test_an_event_is_new_once(ledger: Ledger) -> None:
    assert await ledger.remember([("/a", "1"), ("/b", "1")], NOW) == {("/a", "1"), ("/b", "1")}
    assert await ledger.remember([("/a", "1"), ("/a", "2")], NOW) == {("/a", "2")}
    assert await ledger.remember([], NOW) == set()


async def test_what_is_booked_was_asked_and_has_an_owner(ledger: Ledger) -> None:
    invitation = await booked(ledger)
    assert await booked(ledger) == invitation

    assert await ledger.asked([invitation, "i-other"]) == {invitation}
    assert await ledger.customers_of([invitation, "i-other"]) == {invitation: "c-1"}
    assert await ledger.asked([]) == set()
    assert await ledger.customers_of([]) == {}


async def test_suppressions_add_up_by_channel(ledger: Ledger) -> None:
    await ledger.lock(["c-1", "c-2"], NOW)
    await ledger.suppress([Suppression("c-1", ("email",), Ground.OPTED_OUT, NOW)])
    await ledger.suppress([Suppression("c-1", ("sms",), Ground.COMPLAINT, NOW)] * 2)
    await ledger.suppress([Suppression("c-2", (), Ground.ERASED, NOW)])

    found = await ledger.suppressed(["c-1", "c-2", "c-3"])

    assert {owner: set(channels) for owner, channels in found.items()} == {
        "c-1": {"email", "sms"},
        "c-2": {"*"},
    }
    assert not await ledger.suppressed([])
