"""Schedules of relational surveys: everybody once a period, evenly, and never in a flood."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from math import floor
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given, settings
from hypothesis import strategies as st

from services.trigger.domain.customers import Customer
from services.trigger.domain.occasions import read_occasion
from services.trigger.domain.relational import Contact, Due, event_of
from services.trigger.domain.schedules import (
    LONGEST_LAG,
    Leg,
    Position,
    Rhythm,
    first_types,
    next_leg,
    period_at,
    shift_of,
    slot_of,
    stretches,
)
from shared.programme.surveys import AfterFirst, Calendar, Survey
from tests.support.trigger import NOW, programme, shipped

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = sorted(available_timezones() - {"localtime"})
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
TICK = timedelta(microseconds=1)
NINETY = 90 * DAY
SLOTS = {f"c-{number}": slot_of(f"c-{number}") for number in range(20_000)}

rhythms = st.one_of(st.sampled_from(Calendar), st.timedeltas(min_value=DAY, max_value=3650 * DAY))
moments = st.datetimes(datetime(2020, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
shares = st.floats(0, 1, exclude_max=True)


def surveyed(**changes: object) -> Survey:
    return shipped().surveys["relationship"].model_copy(update=changes)


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
@settings(max_examples=150, deadline=None)
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
    survey=st.text(max_size=5),
)
@settings(max_examples=150, deadline=None)
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
    name=st.text(),
)
@settings(max_examples=150, deadline=None)
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


def run(position: Position, clock: Iterator[datetime], survey: Survey) -> list[Leg]:
    legs = []
    for now in clock:
        leg = next_leg(position, now, survey)
        position = leg.stopped(leg.end)
        legs.append(leg)
    return legs


def ticking(begin: datetime, every: timedelta, length: timedelta) -> Iterator[datetime]:
    return (begin + step * every for step in range(1, length // every + 1))


def test_a_schedule_goes_with_the_clock() -> None:
    legs = run(Position(NOW, NOW), ticking(NOW, MINUTE / 4, timedelta(hours=1)), surveyed())

    assert legs[-1].end == NOW + timedelta(hours=1)
    assert {leg.behind for leg in legs} == {timedelta(0)}


def test_ten_days_of_outage_are_made_up_for_in_ten_days_at_twice_the_pace() -> None:
    back = NOW + 10 * DAY

    legs = run(Position(NOW, NOW), ticking(back, 5 * MINUTE, 11 * DAY), surveyed())

    passed = [leg for leg in legs if leg.behind == timedelta(0)]
    assert back + 9.9 * DAY < passed[0].now <= back + 10 * DAY
    assert all(first.end == then.begin for first, then in pairwise(legs))
    for day in range(11):
        of_day = [leg for leg in legs if back + day * DAY < leg.now <= back + (day + 1) * DAY]
        assert of_day[-1].end - of_day[0].begin <= 2 * DAY


def test_what_is_too_far_back_is_left_out() -> None:
    long_ago = Position(NOW - 365 * DAY, NOW - 365 * DAY, "c-9")

    assert next_leg(long_ago, NOW, surveyed()).begin == NOW - LONGEST_LAG
    assert next_leg(long_ago, NOW, surveyed(every=7 * DAY)).begin == NOW - 7 * DAY
    assert next_leg(long_ago, NOW, surveyed()).done == ""


def test_a_clock_that_went_back_moves_nothing() -> None:
    leg = next_leg(Position(NOW, NOW, "c-9"), NOW - DAY, surveyed())

    assert (leg.begin, leg.end, leg.done) == (NOW, NOW, "c-9")


@given(share=shares)
@settings(max_examples=50)
def test_who_stops_on_the_way_may_go_the_rest_at_once(share: float) -> None:
    leg = next_leg(Position(NOW, NOW), NOW + 2 * MINUTE, surveyed())

    rest = next_leg(leg.stopped(leg.begin + share * (leg.end - leg.begin)), leg.now, surveyed())

    assert abs(rest.end - leg.end) <= timedelta(microseconds=1)


def test_only_the_types_that_a_survey_waits_for_are_kept() -> None:
    after = AfterFirst(on="transaction.purchased", wait=30 * DAY)
    onboarding = surveyed(key="onboarding", every=None, after_first=after)

    assert first_types(shipped()) == frozenset()
    assert first_types(programme(surveys={"onboarding": onboarding})) == {"transaction.purchased"}


def test_the_event_asks_about_the_relationship_and_not_about_the_last_call() -> None:
    customer = Customer(id="c-1", email="ann@example.org", locale="de-DE", timezone="Asia/Seoul")
    segments = {"region": "EU", "queue": "billing", "touchpoint": "support-call", "tier": "gold"}
    due = Due(Contact(customer, segments), "2026-Q4", NOW)
    trigger, paths = shipped().schedules["relationship"], shipped().segments.paths

    event = event_of(due, trigger, NOW, paths)
    occasion = read_occasion(event, paths)

    assert (event.id, event.type) == ("relationship/2026-Q4/c-1", "schedule.relationship")
    assert (occasion.customer, occasion.subject_id) == (customer, "2026-Q4")
    assert occasion.segments == {"region": "EU", "tier": "gold"}
    assert occasion.touchpoint is None
    assert shipped().triggers_of[event.type] == (trigger,)
