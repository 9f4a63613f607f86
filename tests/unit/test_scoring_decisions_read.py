"""Decisions: how they are read, which wins, and how far each brings its event."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.consumer import build_decoders
from services.scoring.domain.answers import Truth, fold
from services.scoring.domain.decisions import Decision, fold_decisions
from services.scoring.domain.funnel import Funnel, median_ranks, rate_of
from shared.errors import Refused
from shared.flows import FLOWS
from shared.stream.kafka.room import READERS
from tests.support.scoring import START, MemoryLedger, decision, record
from tests.support.scoring_funnel import funnel_of, lives

DECODE = build_decoders(["touchpoint"])


def read(value: Any) -> Any:
    one = record(value)
    return DECODE[one.topic](one)


LIVES = [lives(seed, events=12) for seed in range(3)]
HISTORIES = [(values, funnel_of(values), [read(value) for value in values]) for values in LIVES]


async def counted(ledger: MemoryLedger, batch: list[Any]) -> None:
    changes = await ledger.record(fold(one for one in batch if isinstance(one, Truth)))
    decided = [one for one in batch if isinstance(one, Decision)]
    await ledger.count(changes, await ledger.decide(fold_decisions(decided)))


@given(st.data())
@settings(max_examples=40, deadline=None)
async def test_any_order_repetition_and_batching_ends_in_the_same_funnel(data: Any) -> None:
    _, expected, truths = data.draw(st.sampled_from(HISTORIES))
    places = list(range(len(truths)))
    again = data.draw(st.lists(st.sampled_from(places), max_size=20))
    order = data.draw(st.permutations(places + again))
    size = data.draw(st.integers(1, 30))
    ledger = MemoryLedger()

    for first in range(0, len(order), size):
        await counted(ledger, [truths[place] for place in order[first : first + size]])

    found = {
        (line.survey, line.slice, line.values, hour, step): n
        for (line, hour, step), n in ledger.steps.items()
        if n
    }
    assert found == expected


def test_what_scoring_reads_it_can_decode_and_its_writers_wait_for_it() -> None:
    assert set(FLOWS["scoring"].reads) == set(DECODE)
    assert set(FLOWS["scoring"].reads) == {
        topic for topic, groups in READERS.items() if "earshot-scoring" in groups
    }


@pytest.mark.parametrize(
    ("reason", "changes", "stage"),
    [
        ("no-trigger", {}, "heard"),
        ("rule-not-met", {}, "heard"),
        ("rule-error", {}, "heard"),
        ("too-old", {}, "heard"),
        ("settling", {"decision": "scheduled", "invitation_id": "i-1"}, "heard"),
        ("no-contact", {"customer_id": None}, "heard"),
        ("no-contact", {}, "eligible"),
        ("not-sampled", {}, "eligible"),
        ("asked-already", {}, "eligible"),
        ("cancelled-by-event", {}, "eligible"),
        ("delayed", {"invitation_id": "i-1"}, "eligible"),
        ("quiet-hours", {}, "asked"),
        ("asked", {}, "asked"),
        ("expired", {}, "eligible"),
        ("expired", {"invitation_id": "i-1"}, "asked"),
        ("cancelled-by-event", {"invitation_id": "i-1"}, "asked"),
    ],
)
def test_how_far_an_event_came(reason: str, changes: dict[str, Any], stage: str) -> None:
    assert read(decision("e-1", reason, **changes)).stage == stage


def test_what_an_invitation_came_to_wins_at_the_same_moment() -> None:
    asked = read(decision("e-1", "asked"))
    failed = read(decision("e-1", "channel-failed", invitation_id="i-1"))
    older = read(decision("e-1", "not-sampled", decided_at=START - timedelta(days=1)))

    for order in ([asked, failed, older], [failed, older, asked], [older, asked, failed]):
        assert fold_decisions(order) == [failed]


def test_a_decision_on_a_reminder_is_passed_over() -> None:
    assert read(decision("i-1.1", "answered", event_type="reminder", source="earshot")) is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"decision": "perhaps"}, "decision"),
        ({"reason": "Not a word"}, "reason"),
        ({"reason": "x" * 60}, "reason"),
        ({"event_id": ""}, "event_id"),
        ({"source": "s" * 501}, "source"),
        ({"event_time": datetime(1960, 1, 1, tzinfo=START.tzinfo)}, "event_time"),
        ({"decided_at": datetime(2300, 1, 1, tzinfo=START.tzinfo)}, "decided_at"),
        ({"segments": {f"d{place}": "x" for place in range(101)}}, "segments"),
    ],
)
def test_what_cannot_be_read_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refused:
        read(decision(changes.pop("event_id", "e-1"), **({"decided_at": START} | changes)))

    assert refused.value.field == field


def test_rates_stay_within_one_another() -> None:
    steps = {"heard:no-trigger": 5, "eligible:not-sampled": 4, "asked:asked": 6, "asked:expired": 2}
    funnel = Funnel({**steps, "eligible:expired": 1, "delivered": 9, "answered": 3})
    rates = funnel.rates

    assert (funnel.events, funnel.eligible, funnel.asked) == (18, 13, 8)
    assert funnel.reasons[:2] == [("asked", 6), ("no-trigger", 5)]
    assert dict(funnel.reasons)["expired"] == 3
    assert sum(n for _, n in funnel.reasons) == funnel.events
    assert {name: rate and round(rate.share, 4) for name, rate in rates.items()} == {
        "eligible": 0.7222, "asked": 0.6154, "delivered": 1.0, "answered": 0.3333,
        "coverage": 0.2308,
    }  # fmt: skip


@pytest.mark.parametrize(("part", "whole"), [(0, 1), (1, 1), (0, 500), (3, 7), (9, 4)])
def test_a_rate_lies_in_its_interval_and_both_are_possible(part: int, whole: int) -> None:
    rate = rate_of(part, whole)

    assert rate is not None
    low, high = rate.interval
    assert 0 <= low <= rate.share <= high <= 1
    assert low < high


def test_there_is_no_rate_of_nothing() -> None:
    assert rate_of(0, 0) is None
    assert set(Funnel().rates.values()) == {None}


@pytest.mark.parametrize(
    ("n", "ranks"),
    [(1, None), (5, None), (6, (1, 6)), (8, (1, 8)), (9, (2, 8)), (20, (6, 15)), (100, (40, 61))],
)
def test_the_places_that_hold_the_median_are_those_of_the_tables(n: int, ranks: Any) -> None:
    assert median_ranks(n) == ranks
