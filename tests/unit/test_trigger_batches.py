"""The handler on a ledger in memory: any order and repetition of events asks once."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.trigger.handlers import Desk, on_batch
from shared.events import Event, SurveyDecision, SurveyOptout
from tests.support.trigger import CHANNELS, NOW, arrival, call_ended, programme
from tests.support.trigger_memory import MemoryLedger

DESK = Desk(programme(), CHANNELS, NOW)


async def run(
    batches: Sequence[Sequence[Event]], ledger: MemoryLedger | None = None
) -> tuple[MemoryLedger, list[SurveyDecision]]:
    told: list[SurveyDecision] = []
    ledger = ledger or MemoryLedger()

    async def publish(decisions: Sequence[SurveyDecision]) -> None:
        told.extend(decisions)

    for batch in batches:
        await on_batch([arrival(event) for event in batch], [], ledger, publish, DESK)
    return ledger, told


def event(number: int, customer: int, call: int, age_min: int) -> Event:
    return call_ended(
        number,
        at=NOW - timedelta(minutes=age_min),
        customer={"id": f"c-{customer}"},
        call={"id": f"call-{call}"},
    )


events = st.builds(
    event, st.integers(0, 8), st.integers(0, 2), st.integers(0, 2), st.integers(0, 59)
)


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Event], list[list[Event]]]:
    """Distinct events, and a delivery of them with repeats, in any order, cut into batches."""
    found = draw(st.lists(events, min_size=1, max_size=9, unique_by=lambda e: e.id))
    repeats = draw(st.lists(st.sampled_from(found), max_size=9))
    order = draw(st.permutations([*found, *repeats]))
    cut = draw(st.integers(0, len(order)))
    return found, [list(order[:cut]), list(order[cut:])]


@settings(max_examples=120)
@given(deliveries())
@pytest.mark.thorough
async def test_any_order_and_repetition_makes_the_same_invitations(
    delivery: tuple[list[Event], list[list[Event]]],
) -> None:
    found, batches = delivery

    once, _ = await run([found])
    often, told = await run(batches)

    assert set(often.invitations) == set(once.invitations)
    about = [(i.survey, i.customer_id, i.subject_id) for i in often.invitations.values()]
    assert len(set(about)) == len(about)
    assert len(often.decisions) == len(found) == len(told)
    assert sum(d.decision == "invited" for d in told) == len(often.invitations)


async def test_events_of_one_batch_are_decided_in_the_order_of_their_times() -> None:
    late, early = call_ended(1), call_ended(2, at=NOW - timedelta(minutes=1), call={"id": "call-1"})

    _, told = await run([[late, early]])

    assert [(d.event_id, d.reason) for d in told] == [
        ("evt-2", "asked"),
        ("evt-1", "asked-already"),
    ]


async def test_an_optout_counts_before_the_events_of_its_batch() -> None:
    ledger, _ = await run([[call_ended(1)]])
    (known,) = ledger.invitations
    told: list[SurveyDecision] = []

    async def publish(decisions: Sequence[SurveyDecision]) -> None:
        told.extend(decisions)

    optouts = [SurveyOptout(invitation_id=i, at=NOW) for i in (known, "i-unknown")]
    await on_batch([arrival(call_ended(2))], optouts, ledger, publish, DESK)

    assert [d.reason for d in told] == ["opted-out"]
    assert ledger.closed == {"c-1": {"*"}}
