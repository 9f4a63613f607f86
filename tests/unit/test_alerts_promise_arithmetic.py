"""Promised against actual: rates with intervals, verdicts, when an audit is due, which pair."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from services.alerts.domain.alerts import Alert
from services.alerts.domain.clusters import worth
from services.alerts.domain.parts import shared_by
from services.alerts.domain.promise import (
    Part,
    Sample,
    Standard,
    Tally,
    Verdict,
    Weekly,
    is_due,
    standard,
    tally,
    together,
    verdict,
    weekly,
    weigh,
)
from services.alerts.domain.rehearsal import Fate, pair
from services.alerts.domain.terms import Policy
from tests.support.alerts import START, an_alert

HOUR = timedelta(hours=1)
US, EU = {"region": "US"}, {"region": "EU"}


def part(**changed: object) -> Part:
    usual: dict[str, object] = {
        "metric": "nps",
        "survey": None,
        "streams": 10,
        "answers": 1000,
        "alarms": Tally(),
        "promised_per_week": 0.5,
    }
    return msgspec.convert(usual | changed, Part)


@pytest.mark.parametrize(
    ("count", "low", "high"),  # Garwood (1936), two-sided 95 %
    [(0, 0.0, 3.6889), (1, 0.0253, 5.5716), (10, 4.7954, 18.3904)],
)
def test_a_count_has_its_exact_interval(count: int, low: float, high: float) -> None:
    rate = weekly(count, count, 4.0)

    assert rate.value == count / 4
    assert rate.interval == pytest.approx((low / 4, high / 4), abs=1e-4)


def test_what_is_undecided_counts_in_the_upper_bound_alone() -> None:
    sure, unsure = weekly(1, 1, 4.0), weekly(1, 4, 4.0)

    assert unsure.value == sure.value
    assert unsure.interval[0] == sure.interval[0]
    assert unsure.interval[1] == weekly(4, 4, 4.0).interval[1] > sure.interval[1]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ((1000, 100), (200, 60), Verdict.REAL),
        ((1000, 100), (200, 24), Verdict.FALSE),  # two points
        ((1000, 100), (200, 26), Verdict.UNDECIDED),  # three, which chance explains
        ((9000, 900), (4000, 520), Verdict.REAL),  # three, which chance does not
        ((1000, 100), (19, 19), Verdict.UNDECIDED),
        ((0, 0), (200, 60), Verdict.UNDECIDED),
    ],
)
def test_an_alarm_is_judged_by_what_came_after_it(
    before: tuple[int, int], after: tuple[int, int], said: Verdict
) -> None:
    assert verdict(Sample(*before, before[0]), Sample(*after, after[0])) is said


def test_answers_of_one_flight_prove_no_fault() -> None:
    before, after = Sample(2_000, 300, 2_000.0), (60, 18)

    assert verdict(before, Sample(*after, 60.0)) is Verdict.REAL
    assert verdict(before, Sample(*after, 21.0)) is Verdict.UNDECIDED
    assert verdict(before, Sample(*after, worth(60))) is Verdict.UNDECIDED


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        ((0.0, 0.9), Standard.KEPT),
        ((0.2, 3.0), Standard.NOT_REFUTED),
        ((1.2, 3.0), Standard.BROKEN),
    ],
)
def test_a_promise_is_broken_only_beyond_chance(
    interval: tuple[float, float], said: Standard
) -> None:
    assert standard(Weekly(value=1.0, interval=interval), 1.0) is said


def test_lines_are_added_up() -> None:
    found = [Verdict.REAL, Verdict.REAL, Verdict.FALSE, Verdict.UNDECIDED]
    one, other = part(alarms=tally(found)), part(metric="csat", alarms=Tally(false=1))

    whole = weigh(together([one, other], 1.0), 2.0)

    assert whole.alarms == Tally(real=2, false=2, undecided=1)
    assert (whole.metric, whole.streams, whole.answers) == (None, 20, 2000)
    assert whole.alarms_per_week.value == 2.5
    assert whole.false_alarms_per_week.value == 1.0
    assert whole.promise is Standard.NOT_REFUTED


@pytest.mark.parametrize(
    ("newest", "now", "due"),
    [
        (None, "2026-03-02T12:00", True),
        ("2026-03-02T11:00", "2026-03-02T12:00", False),
        ("2026-03-02T12:00", "2026-03-03T12:00", True),  # older than a day
        ("2026-03-02T11:00", "2026-03-03T02:59", False),
        ("2026-03-02T11:00", "2026-03-03T03:00", True),  # four in Berlin
        ("2026-03-03T03:00", "2026-03-03T03:50", False),
        ("2026-03-02T11:00", "2026-03-03T04:00", False),
    ],
)
def test_an_audit_is_made_at_the_quiet_hour_or_where_none_is_fresh(
    newest: str | None, now: str, *, due: bool
) -> None:
    made = datetime.fromisoformat(newest).replace(tzinfo=UTC) if newest else None
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)

    assert is_due(made, at, ZoneInfo("Europe/Berlin")) is due


def test_the_promise_is_shared_by_lines_that_have_begun() -> None:
    at = shared_by(Policy(false_alarms_per_week=1.2), [100, 200, 200])

    shares = [at(minute).false_alarms_per_week for minute in (0, 100, 199, 200)]

    assert shares == pytest.approx([1.2, 1.2, 1.2, 0.4])


def test_alerts_pair_with_the_nearest_of_the_same_thing() -> None:
    def alert(name: str, hours: float, segment: dict[str, str], *, ends: float) -> Alert:
        at = START + hours * HOUR
        return an_alert(
            id=name,
            segment=segment,
            began_at=at - HOUR,
            opened_at=at,
            resolved_at=START + ends * HOUR,
        )

    real = [alert("a", 10, EU, ends=12), alert("b", 30, EU, ends=40), alert("c", 50, US, ends=60)]
    pairs = [
        alert("x", 11, EU | {"product": "shoes"}, ends=13),
        alert("y", 31, EU, ends=50),
        alert("z", 32, EU, ends=33),
        alert("w", 51, EU, ends=60),
    ]

    found = pair(real, pairs)

    named = [(p.real and p.real.id, p.again and p.again.id, p.fate) for p in found]
    assert named == [
        ("a", "x", Fate.SAME),
        ("b", "y", Fate.SAME),
        (None, "z", Fate.NEW),
        ("c", None, Fate.GONE),
        (None, "w", Fate.NEW),
    ]
    assert [p.later for p in found] == [HOUR, HOUR, None, None, None]


def test_one_that_only_an_open_minute_raised_was_taken_back() -> None:
    real = an_alert(id="a", opened_at=START + timedelta(seconds=20))

    assert [p.fate for p in pair([real], [])] == [Fate.TAKEN_BACK]
