"""Quiet hours: against a walk, minute by minute, over the changes of the clock."""

from datetime import UTC, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.trigger.domain.hours import next_open, zones_of
from shared.programme.asking import NEVER_QUIET, QuietHours

MINUTE = timedelta(minutes=1)
NIGHT = QuietHours(time(21), time(8))
# The nights around the changes of 2026 (Apia: no longer any), and Apia's lost day of 2011.
CHANGES = {
    "Europe/Berlin": ((2026, 3, 29), (2026, 10, 25)),
    "America/New_York": ((2026, 3, 8), (2026, 11, 1)),
    "Australia/Lord_Howe": ((2026, 4, 5), (2026, 10, 4)),
    "Asia/Kolkata": ((2026, 3, 29), (2026, 11, 1)),
    "Pacific/Apia": ((2011, 12, 30), (2026, 4, 5)),
}


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


def quiet(moment: datetime, hours: QuietHours, zones: tuple[str, ...]) -> bool:
    return any(hours.covers(moment.astimezone(ZoneInfo(zone)).time()) for zone in zones)


def walked(moment: datetime, hours: QuietHours, zones: tuple[str, ...]) -> datetime:
    """The same by looking at the clocks once a minute; clocks show whole minutes in UTC's."""
    if not quiet(moment, hours, zones):
        return moment
    begin = moment.replace(second=0, microsecond=0)
    for minutes in range(1, 48 * 60 + 1):
        if not quiet(begin + minutes * MINUTE, hours, zones):
            return begin + minutes * MINUTE
    return walked(moment, hours, zones[:1])


clocks = st.builds(time, st.integers(0, 23), st.integers(0, 59))
spans = st.tuples(clocks, clocks).filter(lambda pair: pair[0] != pair[1])
seconds = st.integers(-36 * 3600, 36 * 3600)


@pytest.mark.parametrize("zone", CHANGES)
@settings(max_examples=60)
@given(which=st.sampled_from((0, 1)), shift=seconds, span=spans)
def test_one_zone_is_as_walked(zone: str, which: int, shift: int, span: tuple[time, time]) -> None:
    moment = at(*CHANGES[zone][which]) + timedelta(seconds=shift)
    hours = QuietHours(*span)

    assert next_open(moment, hours, (zone,)) == walked(moment, hours, (zone,))


@pytest.mark.parametrize("country", ["US", "DE", "RU", "BR"])
@settings(max_examples=12)
@given(day=st.integers(0, 400), shift=seconds, begin=st.integers(0, 23), length=st.integers(1, 20))
@example(day=66, shift=0, begin=21, length=11)  # New York springs forward
def test_a_country_is_quiet_while_any_of_its_zones_is(
    country: str, day: int, shift: int, begin: int, length: int
) -> None:
    moment = at(2026, 1, 1) + timedelta(days=day, seconds=shift)
    hours, zones = QuietHours(time(begin), time((begin + length) % 24)), zones_of(None, country, "")

    assert next_open(moment, hours, zones) == walked(moment, hours, zones)


@pytest.mark.parametrize(
    ("zone", "end", "moment", "opens"),
    [
        # 02:00 becomes 03:00: 02:30 does not exist, and 03:00 is the first that is open
        ("Europe/Berlin", time(2, 30), at(2026, 3, 28, 23), at(2026, 3, 29, 1)),
        ("Europe/Berlin", time(8), at(2026, 3, 28, 23), at(2026, 3, 29, 6)),
        # 03:00 becomes 02:00: what begins in the first 02:30 ends, and begins, again
        ("Europe/Berlin", time(2, 30), at(2026, 10, 24, 23), at(2026, 10, 25, 0, 30)),
        ("Europe/Berlin", time(2, 30), at(2026, 10, 25, 1, 10), at(2026, 10, 25, 1, 30)),
        ("Europe/Berlin", time(8), at(2026, 10, 24, 23), at(2026, 10, 25, 7)),
        # half an hour: 02:00 becomes 01:30
        ("Australia/Lord_Howe", time(8), at(2026, 4, 4, 12), at(2026, 4, 4, 21, 30)),
    ],
)
def test_over_the_changes_of_the_clock(
    zone: str, end: time, moment: datetime, opens: datetime
) -> None:
    assert next_open(moment, QuietHours(time(21), end), (zone,)) == opens


def test_an_hour_that_comes_twice_is_quiet_twice() -> None:
    hours = QuietHours(time(2), time(3))
    first, second = at(2026, 10, 25, 0, 20), at(2026, 10, 25, 1, 20)

    assert next_open(first, hours, ("Europe/Berlin",)) == at(2026, 10, 25, 2)
    assert next_open(second, hours, ("Europe/Berlin",)) == at(2026, 10, 25, 2)


def test_without_an_hour_open_everywhere_the_first_zone_decides() -> None:
    most_of_the_day = QuietHours(time(12), time(10))
    zones = ("Europe/Berlin", "America/New_York")

    assert next_open(at(2026, 6, 1, 12), most_of_the_day, zones) == at(2026, 6, 2, 8)


def test_what_is_open_stays_to_the_microsecond_and_no_hours_are_never_quiet() -> None:
    odd = at(2026, 6, 1, 12, 0, 0, 1)

    assert next_open(odd, NIGHT, ("Asia/Kolkata",)) == odd
    assert next_open(at(2026, 6, 1, 23), NEVER_QUIET, ("Europe/Berlin",)) == at(2026, 6, 1, 23)
    assert next_open(odd, NIGHT, ("Nowhere/At_All",)) == next_open(odd, NIGHT, ())


@pytest.mark.parametrize(
    "zone",
    ["", "Europe", "../../etc/passwd", "a\0b", "Europe/Berlin\n", "\ud800", "zone.tab", "x" * 9999],
)
def test_a_zone_that_is_none_never_raises(zone: str) -> None:
    assert zones_of(zone, None, "Asia/Seoul") == ("Asia/Seoul",)
    assert zones_of(zone, "th", "Asia/Seoul") == ("Asia/Bangkok",)
    assert next_open(at(2026, 6, 1, 12), NIGHT, (zone,)) == at(2026, 6, 1, 12)


def test_the_customer_then_the_country_then_the_programme() -> None:
    assert zones_of("Asia/Kolkata", "DE", "UTC") == ("Asia/Kolkata",)
    assert zones_of(None, "de", "UTC") == zones_of("", "DE", "UTC") == ("Europe/Berlin",)
    assert zones_of(None, "XX", "UTC") == zones_of(None, "", "UTC") == ("UTC",)


@cache
def in_table() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (files("tzdata") / "zoneinfo" / "zone.tab").read_text().splitlines():
        if not line.startswith("#"):
            found.setdefault(line.split("\t")[0], []).append(line.split("\t")[2])
    return found


@pytest.mark.parametrize("country", ["US", "RU", "BR", "AU", "CA", "MX", "PS", "KZ"])
def test_the_zones_of_a_country_stand_for_all_of_its_clocks(country: str) -> None:
    weeks = [at(2026, 8, 1) + week * timedelta(days=7) for week in range(100)]

    def shown(zone: str) -> tuple[timedelta | None, ...]:
        return tuple(week.astimezone(ZoneInfo(zone)).utcoffset() for week in weeks)

    assert {shown(zone) for zone in zones_of(None, country, "UTC")} == {
        shown(zone) for zone in in_table()[country]
    }
