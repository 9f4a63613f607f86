import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.domain.cells import hour_of
from services.scoring.domain.windows import TooManyBuckets, Window, buckets_of, cut

START = datetime(2026, 3, 20, 10, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def owner(moment: datetime, windows: list[Window], *, whole_hours: bool) -> list[int]:
    """The numbers of the windows that count this moment, by the cuts."""
    cuts = cut(windows, whole_hours=whole_hours)
    found = [number for number, start, end in cuts.edges if start <= moment < end]
    place = sum(hour_of(moment) >= hour for hour in cuts.hours)
    return [*found, place // 2] if place % 2 else found


@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=6),
    st.integers(-30, 2000),
    st.booleans(),
)
def test_every_moment_is_counted_once_and_in_its_window(
    minutes: list[int], at: int, whole_hours: bool
) -> None:
    edges = [START + timedelta(minutes=7)]
    for length in minutes:
        edges.append(edges[-1] + timedelta(minutes=length))
    windows = [Window(a, b) for a, b in itertools.pairwise(edges)]
    moment = START + timedelta(minutes=at)

    expected = [i for i, w in enumerate(windows) if w.start <= moment < w.end]

    assert owner(moment, windows, whole_hours=whole_hours) == expected


@pytest.mark.parametrize("bucket", ["1h", "1d", "1w", "1mo", "1q"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/Santiago"])
def test_buckets_cover_the_window_without_gap(bucket: str, zone: str) -> None:
    days = 20 if bucket == "1h" else 400
    window = Window(START, START + timedelta(days=days, minutes=13))

    found = buckets_of(window, bucket, ZoneInfo(zone))

    assert found[0].start == window.start
    assert found[-1].end == window.end
    assert all(a.end == b.start for a, b in itertools.pairwise(found))
    assert all(one.start < one.end for one in found)


def test_days_follow_the_clock_of_the_place() -> None:
    window = Window(START, START + timedelta(days=20))

    found = buckets_of(window, "1d", BERLIN)

    lengths = {one.end - one.start for one in found[1:-1]}
    assert lengths == {timedelta(hours=24), timedelta(hours=23)}  # the clock went forward
    assert all(one.start.astimezone(BERLIN).hour == 0 for one in found[1:])


def test_weeks_begin_on_monday_and_quarters_in_their_month() -> None:
    window = Window(START, START + timedelta(days=300))

    weeks = buckets_of(window, "1w", BERLIN)
    quarters = buckets_of(window, "1q", BERLIN)

    assert {one.start.astimezone(BERLIN).weekday() for one in weeks[1:]} == {0}
    assert [one.start.astimezone(BERLIN).month for one in quarters[1:]] == [4, 7, 10, 1]


def test_a_window_with_more_buckets_than_anyone_reads_is_refused() -> None:
    with pytest.raises(TooManyBuckets):
        buckets_of(Window(START, START + timedelta(days=400)), "1h", BERLIN)
