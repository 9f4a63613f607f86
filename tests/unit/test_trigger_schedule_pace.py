"""How fast schedules go, after an outage too; and the event that a customer who is due becomes."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from services.trigger.domain.customers import Customer
from services.trigger.domain.occasions import read_occasion
from services.trigger.domain.relational import Contact, Due, event_of
from services.trigger.domain.schedules import (
    LONGEST_LAG,
    Leg,
    Position,
    asking_after_first,
    next_leg,
)
from shared.programme.surveys import AfterFirst, Survey
from tests.support.trigger import NOW, programme, shipped

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
shares = st.floats(0, 1, exclude_max=True)


def surveyed(**changes: object) -> Survey:
    return shipped().surveys["relationship"].model_copy(update=changes)


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


def test_only_the_surveys_that_ask_after_a_first_need_it() -> None:
    after = AfterFirst(on="transaction.purchased", wait=30 * DAY)
    onboarding = surveyed(key="onboarding", every=None, after_first=after)

    assert asking_after_first(shipped()) == {}
    asking = programme(surveys={**shipped().surveys, "onboarding": onboarding})
    assert asking_after_first(asking) == {"onboarding": after}


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
