"""The recipient's wall clock: which time zones it may show, and when it shows no quiet hour."""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

from services.trigger.domain.invitations import Invitation
from shared.programme.asking import NEVER_QUIET, QuietHours
from shared.programme.models import Programme

_DAY: Final = timedelta(days=1)
_LOOK_AHEAD: Final = timedelta(days=2)
_WEEKS: Final = [datetime(2025, 1, 1, tzinfo=UTC) + timedelta(weeks=n) for n in range(25 * 52)]


def zones_of(timezone: str | None, country: str | None, fallback: str) -> tuple[str, ...]:
    """The customer's own IANA zone if there is such, else all of the ISO 3166 country, else one.

    Zones of a country whose clocks go alike (2025 to 2049) count once. Never raises. Names and
    countries are those of the tzdata package (zones, zone.tab).
    """
    if timezone is not None and timezone in _names():
        return (timezone,)
    code = (country or "").upper()
    return _zones_in(code) if code in _by_country() else (fallback,)


def next_open(moment: datetime, hours: QuietHours, zones: Sequence[str]) -> datetime:
    """The first instant not before `moment` when no clock of these zones shows a quiet hour; UTC.

    Where there is none within 48 hours the first zone alone decides. A zone that does not exist
    has no say; without any it is UTC.
    """
    moment = moment.astimezone(UTC)
    clocks, found = _clocks(tuple(zones)), moment
    while found <= moment + _LOOK_AHEAD:
        latest = max(_first_open(found, hours, clock) for clock in clocks)
        if latest == found:
            return found
        found = latest
    return _first_open(moment, hours, clocks[0])


def opens_for(invitation: Invitation, programme: Programme, moment: datetime) -> datetime:
    """`next_open` for whom an invitation asks; the programme's hours where its survey is gone."""
    survey = programme.surveys.get(invitation.survey)
    usual = programme.quiet_hours or NEVER_QUIET
    hours = usual if survey is None else programme.hours_of(survey)
    return next_open(moment, hours, invitation.zones or (programme.timezone,))


def _first_open(moment: datetime, hours: QuietHours, clock: tzinfo) -> datetime:
    while hours.covers((local := moment.astimezone(clock)).time()):
        end = moment + (_since_midnight(hours.end) - _since_midnight(local.time())) % _DAY
        changed = end.astimezone(clock).utcoffset() != local.utcoffset()
        moment = _change(moment, end, clock) if changed else end
    return moment


def _since_midnight(wall: time) -> timedelta:
    return timedelta(
        hours=wall.hour,
        minutes=wall.minute,
        seconds=wall.second,
        microseconds=wall.microsecond,
    )


def _change(before: datetime, after: datetime, clock: tzinfo) -> datetime:
    """The second at which the clock is changed; changes are days apart."""
    start, offset = before.replace(microsecond=0), before.astimezone(clock).utcoffset()

    def changed(second: int) -> bool:
        return (start + timedelta(seconds=second)).astimezone(clock).utcoffset() != offset

    seconds = range(int((after - start).total_seconds()) + 1)
    return start + timedelta(seconds=bisect_left(seconds, x=True, key=changed))


@lru_cache(maxsize=1024)
def _clocks(zones: tuple[str, ...]) -> tuple[tzinfo, ...]:
    return tuple(ZoneInfo(zone) for zone in zones if zone in _names()) or (UTC,)


@cache
def _names() -> frozenset[str]:
    return frozenset((files("tzdata") / "zones").read_text().split())


@cache
def _zones_in(country: str) -> tuple[str, ...]:
    """Of zones whose clocks show the same in every week of those years, the first."""
    shown: dict[tuple[object, ...], str] = {}
    for zone in _by_country()[country]:
        clock = ZoneInfo(zone)
        shown.setdefault(tuple(week.astimezone(clock).utcoffset() for week in _WEEKS), zone)
    return tuple(shown.values())


@cache
def _by_country() -> dict[str, tuple[str, ...]]:
    table = (files("tzdata") / "zoneinfo" / "zone.tab").read_text()
    found: dict[str, tuple[str, ...]] = {}
    for line in table.splitlines():
        if not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            found[country] = (*found.get(country, ()), zone)
    return found
