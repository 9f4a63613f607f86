"""Periods of relational surveys: everybody once in each, evenly, and never in a flood."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from math import floor
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given, settings
from hypothesis import strategies as st

from services.trigger.domain.schedules import (
    Rhythm,
    period_at,
    shift_of,
    slot_of,
    stretches,
)
from shared.programme.surveys import Calendar
from tests.support.trigger import NOW

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = sorted(available_timezones() - {"localtime"})
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
TICK = timedelta(microseconds=1)
NINETY = 90 * DAY
SLOTS = {f"c-{number}": slot_of(f"c-{number}") for number in range(20_000)}

rhythms = st.one_of(st.sampled_from(Calendar), st.timedeltas(min_value=DAY, max_value=3650 * DAY))
moments = st.datetimes(datetime(2020, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
shares = st.floats(0, 1, exclude_max=True)
letters = st.characters(exclude_categories=["Cs"])


def asked(
    rhythm: Rhythm, cuts: Sequence[datetime], slots: Sequence[float], survey: str = "nps"
) -> list[tuple[str, datetime, float]]:
    """Who comes up between each cut and the next: subject, moment, slot."""
    return [
        (stretch.period.subject_id, stretch.moment_of(slot), slot)
        for begin, end in pairwise(cuts)
        for stretch in stretches(rhythm, survey, begin, end, BERLIN)
        for slot in sorted(slots)
        if stretch.low <= slot < stretch.high
    ]


def test_slots_are_even_and_always_the_same() -> None:
    assert slot_of("c-1") == 0.6522206831559743
    tenths = Counter(int(slot * 10) for slot in SLOTS.values())
    # chi-square with 9 degrees of freedom: 27.9 is passed by 1 in 1,000
    assert sum((tenths[k] - 2000) ** 2 / 2000 for k in range(10)) < 27.9


@given(rhythm=rhythms, moment=moments, zone=st.sampled_from(ZONES))
@settings(max_examples=150)
def test_a_moment_is_in_one_period_and_periods_touch(
    rhythm: Rhythm, moment: datetime, zone: str
) -> None:
    period = period_at(rhythm, moment, ZoneInfo(zone))
    after = period_at(rhythm, period.end, ZoneInfo(zone))

    assert period.start <= moment < period.end
    assert after.start == period.end
    assert after.subject_id != period.subject_id
    assert period_at(rhythm, period.start, ZoneInfo(zone)) == period


def test_periods_are_named_by_the_programmes_calendar() -> None:
    eve = datetime(2026, 12, 31, 22, 59, 59, tzinfo=UTC)

    def names(moment: datetime) -> list[str]:
        found = (*Calendar, NINETY, timedelta(hours=36))
        return [period_at(rhythm, moment, BERLIN).subject_id for rhythm in found]

    assert names(eve) == ["2026-Q4", "2026", "P90D-231", "PT129600S-13879"]
    assert names(eve + timedelta(seconds=1))[:2] == ["2027-Q1", "2027"]


@given(
    rhythm=rhythms,
    moment=moments,
    slots=st.lists(shares.map(lambda s: int(s * 2**40) / 2**40), min_size=1, max_size=5),
    cuts=st.lists(shares, max_size=6),
    survey=st.text(letters, max_size=5),
)
@settings(max_examples=150)
def test_however_a_period_is_cut_every_customer_comes_up_once_in_it(
    rhythm: Rhythm, moment: datetime, slots: list[float], cuts: list[float], survey: str
) -> None:
    period = period_at(rhythm, moment, BERLIN)
    length = period.end - period.start
    inner = sorted(period.start + share * length for share in cuts)

    found = asked(rhythm, [period.start, *inner, period.end], slots, survey)

    assert sorted(slot for _, _, slot in found) == sorted(slots)
    assert {subject for subject, _, _ in found} == {period.subject_id}
    assert all(period.start <= at < period.end for _, at, _ in found)
    assert found == sorted(found, key=lambda one: one[1])


@given(
    rhythm=rhythms,
    begin=moments,
    length=st.timedeltas(TICK, 800 * DAY),
    slot=shares,
    name=st.text(letters),
)
@settings(max_examples=150)
def test_a_customer_comes_up_when_their_moment_is_in_the_interval(
    rhythm: Rhythm, begin: datetime, length: timedelta, slot: float, name: str
) -> None:
    """Against the definition, in fractions: start + ((slot + shift) mod 1) x length."""
    grain, end, period = int(slot * 2**40), begin + length, period_at(rhythm, begin, BERLIN)
    turn = Fraction((grain + shift_of(name)) % 2**40, 2**40)
    expected = []
    while period.start < end:
        moment = (period.start - begin) // TICK + turn * ((period.end - period.start) // TICK)
        if 0 <= moment < length // TICK:
            expected.append((period.subject_id, begin + floor(moment) * TICK, grain / 2**40))
        period = period_at(rhythm, period.end, BERLIN)

    assert asked(rhythm, [begin, end], [grain / 2**40], name) == expected


@given(rhythm=rhythms, begin=moments, slot=shares)
@settings(max_examples=100)
def test_a_customer_comes_up_in_the_microsecond_of_their_moment(
    rhythm: Rhythm, begin: datetime, slot: float
) -> None:
    slot = int(slot * 2**40) / 2**40
    period = period_at(rhythm, begin, BERLIN)
    ((_, moment, _),) = asked(rhythm, [period.start, period.end], [slot])

    assert asked(rhythm, [period.start, moment], [slot]) == []
    assert len(asked(rhythm, [moment, moment + TICK], [slot])) == 1


def test_an_interval_across_the_end_of_a_period_asks_for_both() -> None:
    end = period_at(Calendar.QUARTER, NOW, BERLIN).end

    found = asked(Calendar.QUARTER, [end - DAY, end + DAY], list(SLOTS.values()))

    by_subject = Counter(subject for subject, _, _ in found)
    assert set(by_subject) == {"2026-Q4", "2027-Q1"}
    assert not {s for name, _, s in found if name == "2026-Q4"} & {
        s for name, _, s in found if name == "2027-Q1"
    }


def days(rhythm: Rhythm, begin: datetime, number: int, survey: str = "nps") -> list[int]:
    cuts = [begin + day * DAY for day in range(number + 1)]
    counts = Counter(
        (at - begin) // DAY for _, at, _ in asked(rhythm, cuts, list(SLOTS.values()), survey)
    )
    return [counts[day] for day in range(number)]


def test_each_day_has_its_share_also_across_periods() -> None:
    """20,000 customers over 90 days: 222 a day; 4 standard deviations are 59."""
    begin = period_at(NINETY, NOW, BERLIN).start

    found = days(NINETY, begin + 60 * DAY, 90)

    assert max(found) < 222 + 60
    assert min(found) > 222 - 60
    assert sum(found) == 20_000


def test_two_surveys_do_not_ask_the_same_customers_on_a_day() -> None:
    begin = period_at(NINETY, NOW, BERLIN).start
    of_day = [
        {slot for _, _, slot in asked(NINETY, [begin, begin + DAY], list(SLOTS.values()), survey)}
        for survey in ("relationship", "loyalty")
    ]

    assert all(len(found) > 150 for found in of_day)
    assert not of_day[0] & of_day[1]


def test_a_changed_rhythm_asks_on_at_its_own_pace() -> None:
    """The position is a moment and not a slot: no day has more than its new share."""
    before, after = days(NINETY, NOW - 10 * DAY, 10), days(30 * DAY, NOW, 10)
    back = days(Calendar.YEAR, NOW + 10 * DAY, 10)

    assert max(before) < 222 + 60
    assert max(after) < 667 + 4 * 26
    assert max(back) < 55 + 4 * 8
