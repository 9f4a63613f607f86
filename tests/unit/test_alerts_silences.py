"""Silences: what they cover, when, and what becomes of what they kept back."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from services.alerts.domain.alerts import Change, State
from services.alerts.domain.answers import Place, minute_of
from services.alerts.domain.audit import Difference, differences
from services.alerts.domain.deliveries import Held, Outcome, released
from services.alerts.domain.facts import Word
from services.alerts.domain.mixes import Mix, left_out, skewed_segments, without
from services.alerts.domain.silences import Maintenance, Matcher, Phase, Silence, silenced_by
from services.alerts.domain.state import FleetState
from services.alerts.domain.streams import Catalogue, LeafTick
from shared.segments import segment_key
from tests.support.alerts import LATTICE, an_alert

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def quiet(**changed: Any) -> Silence:
    usual: dict[str, Any] = {
        "id": "s-1",
        "matchers": Matcher(),
        "begins_at": NOON,
        "ends_at": NOON + HOUR,
        "maintenance": True,
        "by": "anne",
        "note": None,
        "created_at": NOON,
    }
    return Silence(**(usual | changed))


@pytest.mark.parametrize(
    ("matcher", "covered"),
    [
        (Matcher(), True),
        (Matcher(metric="nps"), True),
        (Matcher(metric="csat"), False),
        (Matcher(survey="post-delivery"), True),
        (Matcher(survey="post-call"), False),
        (Matcher(segment={"region": "EU"}), True),
        (Matcher(segment={"region": "EU", "product": "shoes"}), True),
        (Matcher(segment={"region": "US"}), False),
        (Matcher(segment={"region": "EU", "queue": "x"}), False),  # it says less than the alert
    ],
)
def test_a_silence_covers_what_lies_inside(matcher: Matcher, *, covered: bool) -> None:
    found = silenced_by(an_alert(), [quiet(matchers=matcher)], NOON)

    assert found == (("s-1",) if covered else ())


def test_it_lasts_from_its_beginning_to_before_its_end() -> None:
    silence = quiet()
    moments = [NOON - timedelta(seconds=1), NOON, NOON + HOUR - timedelta(seconds=1), NOON + HOUR]

    assert [silence.holds(moment) for moment in moments] == [False, True, True, False]
    assert [silence.phase(moment) for moment in moments] == [
        Phase.PENDING, Phase.ACTIVE, Phase.ACTIVE, Phase.EXPIRED,
    ]  # fmt: skip


def test_what_is_ended_early_was_what_it_was() -> None:
    half = NOON + HOUR / 2
    ended = quiet().ended("bo", half)
    never = quiet().ended("bo", NOON - HOUR)

    assert (ended.phase(half), ended.holds(NOON), ended.holds(half)) == (Phase.EXPIRED, True, False)
    assert never.phase(NOON - HOUR) is Phase.EXPIRED
    assert not never.holds(NOON)


@pytest.mark.parametrize(
    ("revision", "told", "is_over", "outcome"),
    [
        (3, False, False, Outcome.PENDING),
        (3, True, False, Outcome.PENDING),
        (2, True, False, Outcome.DROPPED),  # a later change is told
        (3, False, True, Outcome.DROPPED),  # it came and went
        (3, True, True, Outcome.PENDING),  # nobody is left with an alert that is over
    ],
)
def test_what_was_kept_back_is_told_as_it_is_now(
    revision: int, *, told: bool, is_over: bool, outcome: Outcome
) -> None:
    assert released(Held("k", revision, told), 3, is_over=is_over) is outcome


@pytest.mark.parametrize(
    ("at", "leaf", "taken"),
    [
        (NOON, '{"product":"shoes","region":"EU"}', True),
        (NOON, '{"region":"US"}', False),
        (NOON, "{}", False),
        (NOON - timedelta(minutes=1), '{"region":"EU"}', False),
        (NOON + timedelta(minutes=90), '{"region":"EU"}', True),  # its minute has begun
        (NOON + timedelta(minutes=91), '{"region":"EU"}', False),
    ],
)
def test_answers_of_a_maintenance_window_are_left_out_by_their_own_time(
    at: datetime, leaf: str, *, taken: bool
) -> None:
    ends_at = NOON + timedelta(minutes=90, seconds=30)
    window = quiet(matchers=Matcher(segment={"region": "EU"}), ends_at=ends_at)
    place = Place("nps", "post-delivery", minute_of(at), leaf)

    assert Maintenance([window]).takes(place) is taken
    assert not Maintenance([]).takes(place)


def test_streams_of_which_a_window_takes_much_are_left_out_and_no_others() -> None:
    fleet, catalogue = FleetState.empty(), Catalogue(LATTICE)
    counts = {("EU", "shoes"): 50, ("EU", "hats"): 2, ("US", "shoes"): 40, ("US", "hats"): 60}
    usual = [
        LeafTick(segment_key({"region": region, "product": product}), answers, 0)
        for (region, product), answers in counts.items()
    ]
    for tick in usual:
        catalogue.rows_of(tick.leaf, fleet)

    mixes = [Mix(quiet(), skewed_segments(LATTICE, usual, {"region": "EU"}))]
    rows = left_out(mixes, catalogue, NOON, NOON)
    named = {catalogue.segments[row] for row in rows}

    assert named == {
        "{}",
        '{"region":"EU"}',
        '{"product":"shoes"}',
        '{"product":"shoes","region":"EU"}',
        '{"product":"hats","region":"EU"}',
    }  # fmt: skip - of hats it takes 2 of 62
    assert len(left_out(mixes, catalogue, NOON + HOUR, NOON + HOUR)) == 0
    index = np.arange(len(fleet))
    numbers = index.astype(np.float64)
    kept, answers, _ = without((index, numbers, numbers), rows)
    assert kept.tolist() == answers.tolist() == sorted(set(index.tolist()) - set(rows.tolist()))


def test_a_change_says_what_it_changed() -> None:
    before = an_alert()
    after = before.end(State.RESOLVED, NOON, NOON, Word(by="anne", note=None, at=NOON))

    changed = differences(before.record(Change.OPENED), after.record(Change.RESOLVED))

    assert sorted(changed) == ["closed", "resolved_at", "state"]
    assert changed["state"] == Difference(before="open", after="resolved")
