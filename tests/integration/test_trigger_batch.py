"""The batch on real PostgreSQL: decided once, whoever repeats it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.domain.suppressions import Ground, Suppression
from services.trigger.handlers import Desk, on_batch
from services.trigger.store.ledger import SqlLedger
from services.trigger.store.retention import Keeping, delete_old
from services.trigger.store.suppressions import SuppressionStore
from shared.db import open_engine
from shared.events import Event, SurveyDecision, SurveyOptout
from tests.support.trigger import CHANNELS, NOW, arrival, call_ended, later, programme

TABLES = (
    *("events", "customers", "contacts", "decisions", "invitations", "suppressions"),
    *("occasions", "consents"),
)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(database_url, schema="trigger") as engine:
        async with engine.begin() as connection:
            await connection.execute(sa.text(f"TRUNCATE {', '.join(TABLES)}"))
        yield engine


async def decide(
    engine: AsyncEngine, events: Sequence[Event], optouts: Sequence[SurveyOptout] = ()
) -> list[SurveyDecision]:
    told: list[SurveyDecision] = []

    async def publish(decisions: Sequence[SurveyDecision]) -> None:
        told.extend(decisions)

    desk = Desk(programme(), CHANNELS, NOW)
    arrivals = [arrival(event, "00-abc-def-01") for event in events]
    async with engine.begin() as connection:
        await on_batch(arrivals, optouts, SqlLedger(connection), publish, desk)
    return told


async def rows(engine: AsyncEngine, query: str) -> list[dict[str, Any]]:
    async with engine.connect() as connection:
        return [dict(row) for row in (await connection.execute(sa.text(query))).mappings()]


async def test_a_batch_leaves_decisions_invitations_and_contacts(engine: AsyncEngine) -> None:
    events = [call_ended(1), call_ended(2, call={"talk_s": 3}), call_ended(3, customer=None)]

    told = await decide(engine, events)

    assert sorted(d.reason for d in told) == ["asked", "no-contact", "rule-not-met"]
    (invitation,) = await rows(engine, "SELECT * FROM invitations")
    assert invitation["status"] == "scheduled"
    assert (invitation["revision"], invitation["published"]) == (1, False)
    assert invitation["channels"] == ["email", "webhook"]
    assert invitation["traceparent"] == "00-abc-def-01"
    (contact,) = await rows(engine, "SELECT * FROM contacts")
    assert (contact["email"], contact["locale"]) == ("ann@example.org", "de-DE")
    ledger = await rows(engine, "SELECT event_id, trigger, segments::text FROM decisions")
    assert len(ledger) == 3
    assert '"queue": "billing"' in ledger[0]["segments"]


async def test_contact_data_stands_in_contacts_only(engine: AsyncEngine) -> None:
    await decide(engine, [call_ended(1, customer={"phone": "+4915112345678"})])

    for table in set(TABLES) - {"contacts"}:
        dump = str(await rows(engine, f"SELECT * FROM {table}"))
        assert "ann@example.org" not in dump
        assert "15112345678" not in dump


async def test_the_same_events_again_change_nothing(engine: AsyncEngine) -> None:
    events = [call_ended(number, customer={"id": f"c-{number}"}) for number in range(40)]
    await decide(engine, events)
    before = await rows(engine, "SELECT * FROM decisions ORDER BY seq")

    again = await decide(engine, [*reversed(events), *events])

    assert again == []
    assert await rows(engine, "SELECT * FROM decisions ORDER BY seq") == before
    assert len(await rows(engine, "SELECT id FROM invitations")) == 40


async def test_another_event_about_the_same_call_asks_nobody(engine: AsyncEngine) -> None:
    await decide(engine, [call_ended(1)])

    (decision,) = await decide(engine, [call_ended(2, call={"id": "call-1"})])

    assert decision.reason == "asked-already"


async def test_batches_of_one_customer_at_the_same_moment_ask_once(engine: AsyncEngine) -> None:
    same = [call_ended(number, call={"id": "call-1"}) for number in range(8)]

    told = await asyncio.gather(*(decide(engine, [event]) for event in same))

    reasons = sorted(decision.reason for batch in told for decision in batch)
    assert reasons == ["asked"] + ["asked-already"] * 7
    assert len(await rows(engine, "SELECT id FROM invitations")) == 1


async def test_an_older_event_fills_gaps_and_takes_nothing_back(engine: AsyncEngine) -> None:
    newer = call_ended(1, customer={"email": "new@example.org"})
    older = call_ended(
        2,
        at=NOW - timedelta(hours=1),
        customer={"email": "old@example.org", "phone": "+491234567"},
    )

    await decide(engine, [newer])
    await decide(engine, [older])

    (contact,) = await rows(engine, "SELECT email, phone, seen_at FROM contacts")
    assert contact == {"email": "new@example.org", "phone": "+491234567", "seen_at": NOW}


async def test_suppressed_customers_are_not_asked(engine: AsyncEngine) -> None:
    store = SuppressionStore(engine)
    await store.add(Suppression("c-1", (), Ground.OPERATOR, NOW))
    await store.add(Suppression("c-2", ("email",), Ground.COMPLAINT, NOW))

    told = await decide(engine, [call_ended(1), call_ended(2, customer={"id": "c-2"})])

    assert [d.reason for d in told] == ["opted-out", "asked"]
    (invitation,) = await rows(engine, "SELECT channels FROM invitations")
    assert invitation["channels"] == ["webhook"]


async def test_an_optout_from_the_topic_cancels_and_closes(engine: AsyncEngine) -> None:
    (decision,) = await decide(engine, [call_ended(1)])
    assert decision.invitation_id is not None
    optout = SurveyOptout(invitation_id=decision.invitation_id, at=NOW)
    unknown = SurveyOptout(invitation_id="i-nobody", at=NOW)

    told = await decide(engine, [call_ended(2)], [optout, unknown, optout])

    assert [d.reason for d in told] == ["opted-out"]
    (invitation,) = await rows(engine, "SELECT status, revision FROM invitations")
    assert invitation == {"status": "cancelled", "revision": 2}
    (first, _) = await rows(engine, "SELECT decision, reason FROM decisions ORDER BY seq")
    assert first == {"decision": "suppressed", "reason": "opted-out"}


async def test_retention_deletes_what_is_too_old_and_keeps_what_is_open(
    engine: AsyncEngine,
) -> None:
    await decide(engine, [call_ended(1), call_ended(2, customer={"id": "c-2"})])
    async with engine.begin() as connection:
        done = "UPDATE invitations SET status = 'sent', published = true WHERE customer_id = 'c-2'"
        await connection.execute(sa.text(done))
    keeping = Keeping(dedupe=timedelta(days=40), retention=timedelta(days=400))

    early = await delete_old(engine, keeping, later(days=39))
    middle = await delete_old(engine, keeping, later(days=41))
    late = await delete_old(engine, keeping, later(days=401))

    assert set(early.values()) == {0}
    assert middle == {**early, "events": 2, "customers": 2}
    gone = {"decisions": 2, "occasions": 2, "invitations": 1, "contacts": 1, "consents": 1}
    assert late == {**early, **gone}
