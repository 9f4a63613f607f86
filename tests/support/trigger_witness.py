"""Who says, without any of trigger's code, whether what was sent may have been sent.

The rules of `tests.support.trigger_world.PROGRAMME` stand here a second time, in plain loops.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

HOUR = timedelta(hours=1)
QUIET = {"post-delivery": (time(21), time(8)), "effort": (time(22), time(7, 30))}
NEEDS_YES = ("email",)
CANCELLED_BY = {
    "delivered": ("transaction.refunded",),
    "shipped": ("transaction.refunded",),
    "long-call": ("support_call.reopened",),
}
ZONES = {
    "DE": ("Europe/Berlin",),
    "KR": ("Asia/Seoul",),
    "US": (
        "America/New_York",
        "America/Chicago",
        "America/Denver",
        "America/Phoenix",
        "America/Los_Angeles",
        "America/Anchorage",
        "Pacific/Honolulu",
    ),
}
ZONE = "Europe/Berlin"


@dataclass(frozen=True)
class Heard:
    """An event that was decided on; `customer` is empty where it names nobody."""

    at: datetime
    customer: str
    subject: str
    type: str
    time: datetime
    consent: Mapping[str, bool]


@dataclass(frozen=True)
class Closed:
    """An opt-out that was acknowledged; no channels means all."""

    at: datetime
    customer: str
    channels: Sequence[str]


@dataclass(frozen=True)
class Sent:
    """What a courier was given and may have delivered."""

    at: datetime
    id: str
    survey: str
    trigger: str
    customer: str
    subject: str
    channel: str
    agent: str | None
    event_time: datetime


Entry = Heard | Closed | Sent


@dataclass(frozen=True)
class Home:
    """What a customer's events say about where they are."""

    timezone: str | None
    country: str | None

    @property
    def zones(self) -> tuple[str, ...]:
        if self.timezone is not None and "/" in self.timezone and "Mars" not in self.timezone:
            return (self.timezone,)
        return ZONES.get(self.country or "", (ZONE,))


def violations(log: Sequence[Entry], homes: Mapping[str, Home]) -> list[str]:
    """All that should not have been sent, in words; the log is in the order of what happened."""
    sent = [entry for entry in log if isinstance(entry, Sent)]
    quiet = [f"quiet: {s}" for s in sent if _is_quiet(s, homes[s.customer])]
    return [*quiet, *_said_no(log), *_cancelled(log), *_twice(sent), *_capped(sent)]


def _is_quiet(sent: Sent, home: Home) -> bool:
    begin, end = QUIET.get(sent.survey, (time(0), time(0)))
    for zone in home.zones:
        wall = sent.at.astimezone(ZoneInfo(zone)).time()
        over_night = begin > end and (wall >= begin or wall < end)
        if over_night or begin <= wall < end:
            return True
    return False


def _said_no(log: Sequence[Entry]) -> list[str]:
    words: dict[tuple[str, str], list[tuple[datetime, int]]] = defaultdict(list)
    closed: dict[str, set[str]] = defaultdict(set)
    found = []
    for entry in log:
        if isinstance(entry, Heard):
            for channel, yes in entry.consent.items():
                words[entry.customer, channel].append((entry.time, 0 if yes else 1))
        elif isinstance(entry, Closed):
            closed[entry.customer] |= set(entry.channels or ("email", "webhook"))
        else:
            said = words[entry.customer, entry.channel]
            yes = max(said)[1] == 0 if said else entry.channel not in NEEDS_YES
            if not yes:
                found.append(f"consent: {entry}")
            if entry.channel in closed[entry.customer]:
                found.append(f"opted out: {entry}")
    return found


def _cancelled(log: Sequence[Entry]) -> list[str]:
    heard: dict[str, list[Heard]] = defaultdict(list)
    found = []
    for entry in log:
        if isinstance(entry, Heard):
            heard[entry.subject].append(entry)
        elif isinstance(entry, Sent):
            for event in heard[entry.subject]:
                about = event.type in CANCELLED_BY.get(entry.trigger, ())
                whose = event.customer in ("", entry.customer)
                if about and whose and event.time >= entry.event_time:
                    found.append(f"cancelled: {entry}")
                    break
    return found


def _twice(sent: Sequence[Sent]) -> list[str]:
    seen, found = set(), []
    for one in sent:
        about = (one.survey, one.customer, one.subject)
        if about in seen:
            found.append(f"twice: {one}")
        seen.add(about)
    return found


def _capped(sent: Sequence[Sent]) -> list[str]:
    """Two a customer in 20 hours; one about a delivery in 3 days; one by webhook about effort in
    26 hours; five of an agent's calls in 6 hours.
    """
    customers, agents = defaultdict(list), defaultdict(list)
    for one in sent:
        customers[one.customer].append(one)
        if one.survey == "post-call" and one.agent is not None:
            agents[one.agent].append(one)
    found = []
    for own in customers.values():
        deliveries = [one for one in own if one.survey == "post-delivery"]
        efforts = [one for one in own if (one.survey, one.channel) == ("effort", "webhook")]
        found += [f"cap of a customer: {one}" for one in _too_many(own, 2, 20)]
        found += [f"cap of a survey: {one}" for one in _too_many(deliveries, 1, 72)]
        found += [f"cap of a channel: {one}" for one in _too_many(efforts, 1, 26)]
    for calls in agents.values():
        found += [f"cap of an agent: {one}" for one in _too_many(calls, 5, 6)]
    return found


def _too_many(sent: Sequence[Sent], most: int, hours: int) -> list[Sent]:
    """Those before which, in so many hours, more than `most` were sent, they among them."""
    found = []
    for one in sent:
        ages = [(one.at - other.at) / HOUR for other in sent]
        if sum(1 for age in ages if 0 <= age < hours) > most:
            found.append(one)
    return found
