"""When relational surveys are asked: periods, every customer's moment in them, and the pace."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from shared.programme.models import Programme, Survey
from shared.programme.surveys import AfterFirst, Calendar

Rhythm = timedelta | Calendar

# Slots are whole numbers of 2**-40: boundaries are exact, and as floats too.
GRAINS: Final = 2**40
LONGEST_PAUSE: Final = timedelta(minutes=5)
LONGEST_LAG: Final = timedelta(days=30)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time in which a survey asks everybody once; `end` belongs to the next."""

    subject_id: str
    start: datetime
    end: datetime

    def grains_before(self, moment: datetime) -> int:
        """How many of the 2**40 moments of the period are before this one."""
        length = (self.end - self.start) // _TICK
        return -((self.start - moment) // _TICK * GRAINS // length)

    def moment_of(self, grain: int) -> datetime:
        """The moment of a grain, cut to the microsecond."""
        length = (self.end - self.start) // _TICK
        return self.start + grain * length // GRAINS * _TICK


@dataclass(frozen=True, slots=True)
class Stretch:
    """Customers whose slot is from `low` to below `high` are due, in the order of their slots."""

    period: Period
    low: float
    high: float
    shift: int

    def moment_of(self, slot: float) -> datetime:
        """When a customer with this slot is due."""
        return self.period.moment_of((int(slot * GRAINS) + self.shift) % GRAINS)


@dataclass(frozen=True, slots=True)
class Position:
    """How far a schedule has come.

    Everybody due before `at` has been decided on, and of those due at that very moment the
    customers up to `done`. `moved_at`: up to when the time that passed has been used for moving.
    """

    at: datetime
    moved_at: datetime
    done: str = ""


@dataclass(frozen=True, slots=True)
class Leg:
    """The way from one position towards the next: who is due from `begin` to before `end`.

    `behind` is how far the schedule is behind the clock at the end of it.
    """

    begin: datetime
    end: datetime
    done: str
    now: datetime

    @property
    def behind(self) -> timedelta:
        return max(self.now - self.end, timedelta(0))

    def stopped(self, at: datetime, done: str = "") -> Position:
        """The position when only a part of the way was gone; the rest may follow at once."""
        return Position(at, self.now - (self.end - at) / 2, done)


def slot_of(customer_id: str) -> float:
    """The customer's place in every period, 0 to below 1: uniform by SHA-256, always the same."""
    return _hashed(customer_id) / GRAINS


def shift_of(survey: str) -> int:
    """By how many grains a survey's round is turned, so that two do not ask the same on a day."""
    return _hashed(f"survey\0{survey}")


def period_at(rhythm: Rhythm, moment: datetime, zone: ZoneInfo) -> Period:
    """The period that holds a moment.

    Of the calendar by the zone, else consecutive ones of equal length since 1970 in UTC.
    """
    if isinstance(rhythm, timedelta):
        number = (moment - _EPOCH) // rhythm
        start = _EPOCH + number * rhythm
        return Period(f"{_iso(rhythm)}-{number}", start, start + rhythm)
    local, months = moment.astimezone(zone), 3 if rhythm is Calendar.QUARTER else 12
    number = (local.year * 12 + local.month - 1) // months
    around = (_of_calendar(number + step, months, zone) for step in (0, -1, 1))
    return next(period for period in around if period.start <= moment < period.end)


def stretches(
    rhythm: Rhythm, survey: str, begin: datetime, end: datetime, zone: ZoneInfo
) -> Iterator[Stretch]:
    """Who is due from `begin` to before `end`, in the order of their moments.

    Neighbouring intervals of time give neighbouring stretches: no slot is in both or in neither.
    """
    shift = shift_of(survey)
    while begin < end:
        period = period_at(rhythm, begin, zone)
        until = min(end, period.end)
        low, high = period.grains_before(begin), period.grains_before(until)
        for first, last, turn in (
            (low, min(high, shift), GRAINS - shift),
            (max(low, shift), high, -shift),
        ):
            if first < last:
                yield Stretch(period, (first + turn) / GRAINS, (last + turn) / GRAINS, shift)
        begin = until


def next_leg(
    position: Position, now: datetime, survey: Survey, pause: timedelta = LONGEST_PAUSE
) -> Leg:
    """How far the schedule may go now: at most twice as fast as the clock, and not past it.

    Time in which nobody moved it counts up to `pause`, so that an outage is made up for over as
    long again. What lies further back than 30 days, or than one period, is left out.
    """
    lag = LONGEST_LAG if not isinstance(survey.every, timedelta) else min(LONGEST_LAG, survey.every)
    passed = min(max(now - position.moved_at, timedelta(0)), pause)
    begin = max(position.at, now - lag)
    end = max(min(begin + 2 * passed, now), begin)
    return Leg(begin, end, position.done if begin == position.at else "", now)


def asking_after_first(programme: Programme) -> dict[str, AfterFirst]:
    """The surveys that ask after each customer's first event of a type, and of which and when."""
    surveys = programme.surveys.items()
    return {key: survey.after_first for key, survey in surveys if survey.after_first}


def _hashed(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:5], "big")


def _iso(rhythm: timedelta) -> str:
    """ISO 8601: `P90D`, or in seconds what is not whole days."""
    days, rest = divmod(rhythm, _DAY)
    return f"PT{rhythm.total_seconds():.12g}S" if rest else f"P{days}D"


def _of_calendar(number: int, months: int, zone: ZoneInfo) -> Period:
    year, month = divmod(number * months, 12)
    name = f"{year}-Q{month // 3 + 1}" if months == 3 else f"{year}"
    return Period(name, _first_of(number * months, zone), _first_of((number + 1) * months, zone))


def _first_of(month: int, zone: ZoneInfo) -> datetime:
    """The zone's midnight on the first of a month, counted from the year 0, as an instant."""
    return datetime(month // 12, month % 12 + 1, 1, tzinfo=zone).astimezone(UTC)
