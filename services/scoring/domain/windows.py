"""Windows `[start, end)` and how they are counted: whole hours from counts, edges from answers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

from services.scoring.domain.cells import hour_of

NAMED: dict[str, timedelta] = {
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
BUCKETS_AT_MOST = 2_000


@dataclass(frozen=True, slots=True)
class Window:
    """Half open: `start` counts, `end` does not."""

    start: datetime
    end: datetime

    @property
    def before(self) -> "Window":
        """The window of the same length that ends where this one starts."""
        return Window(self.start - (self.end - self.start), self.start)


@dataclass(frozen=True, slots=True)
class Cuts:
    """How to count contiguous windows.

    `hours`: for each window its first whole hour and the one after its last, flat and rising.
    `edges`: the number of the window and the span that only the answers themselves can tell.
    """

    hours: tuple[int, ...]
    edges: tuple[tuple[int, datetime, datetime], ...]


def cut(windows: Sequence[Window], *, whole_hours: bool = True) -> Cuts:
    """Cut contiguous, rising windows; without `whole_hours` all of it is edges."""
    if not whole_hours:
        return Cuts((), tuple((i, w.start, w.end) for i, w in enumerate(windows)))
    hours: list[int] = []
    edges: list[tuple[int, datetime, datetime]] = []
    for number, window in enumerate(windows):
        first = hour_of(window.start + timedelta(hours=1) - timedelta(microseconds=1))
        after = hour_of(window.end)
        if first > after:  # within one hour
            hours += (after, after)
            edges.append((number, window.start, window.end))
            continue
        hours += (first, after)
        edges += _spans(number, window, first, after)
    return Cuts(tuple(hours), tuple(edges))


def _spans(
    number: int, window: Window, first: int, after: int
) -> list[tuple[int, datetime, datetime]]:
    spans = [(number, window.start, _moment(first)), (number, _moment(after), window.end)]
    return [span for span in spans if span[1] < span[2]]


def _moment(hour: int) -> datetime:
    return datetime.fromtimestamp(hour * 3600, UTC)


class TooManyBuckets(ValueError):
    """The window holds more buckets than anyone can read."""


def buckets_of(window: Window, bucket: str, zone: ZoneInfo) -> list[Window]:
    """The window cut at the calendar's edges in `zone`; the first and last may be shorter.

    `bucket` is 1h, 1d, 1w, 1mo or 1q. Raises TooManyBuckets before it builds more than 2,000.
    """
    found: list[Window] = []
    start = window.start
    for edge in _edges(window.start, bucket, zone):
        if edge <= start:
            continue  # the clock was put back, or midnight does not exist on this day
        end = min(edge, window.end)
        found.append(Window(start, end))
        if len(found) > BUCKETS_AT_MOST:
            raise TooManyBuckets(f"more than {BUCKETS_AT_MOST} buckets of {bucket}")
        if end == window.end:
            break
        start = end
    return found


def _edges(start: datetime, bucket: str, zone: ZoneInfo) -> Iterator[datetime]:
    """The calendar's edges after `start`, for ever."""
    if bucket == "1h":
        yield from (_moment(hour_of(start) + passed) for passed in count(1))
    edge = _floor(start.astimezone(zone), bucket)
    while True:
        edge = _next(edge, bucket)
        yield edge.replace(tzinfo=zone).astimezone(UTC)


def _floor(local: datetime, bucket: str) -> datetime:
    day = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    if bucket == "1w":
        return day - timedelta(days=day.weekday())
    if bucket == "1mo":
        return day.replace(day=1)
    if bucket == "1q":
        return day.replace(month=day.month - (day.month - 1) % 3, day=1)
    return day


def _next(edge: datetime, bucket: str) -> datetime:
    months = {"1mo": 1, "1q": 3}.get(bucket)
    if months is None:
        return edge + timedelta(days=7 if bucket == "1w" else 1)
    years, month = divmod(edge.month - 1 + months, 12)
    return edge.replace(year=edge.year + years, month=month + 1)
