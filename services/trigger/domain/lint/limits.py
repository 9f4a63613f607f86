"""Lints of how often, when and whether customers can end it: caps, opt-out, hours, reminders."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final

from services.trigger.domain.lint.findings import (
    PROGRAMME,
    SURVEYS,
    Found,
    Path,
    Subject,
    at,
    channels_of,
    delays_of,
)
from shared.durations import format_duration
from shared.programme.asking import NEVER_QUIET, Cap, QuietHours, Reminders
from shared.programme.models import Trigger
from shared.programme.triggers import SCHEDULE

_DAY: Final = timedelta(days=1)
_LEAST_OPEN: Final = timedelta(hours=1)
_MORNING: Final = date(2000, 1, 1)  # any day without a change of clock
_FAMILY_OF_PART: Final = {"call": "support_call", "transaction": "transaction"}


def no_cap(subject: Subject) -> Iterator[Found]:
    """A question for which nothing limits how often one customer is asked it."""
    caps = [cap for cap in subject.programme.caps if not cap.of_group and not cap.dimensions]
    advice = "over-asking is what customers complain of first; add {most: 3, per: 7d}"
    if not caps:
        what = "no cap limits how often one customer is asked"
        yield Found(PROGRAMME, ("caps",), what, f"{advice} to caps")
        return
    for trigger in subject.triggers:
        free = [c for c in channels_of(trigger) if not any(_limits(x, trigger, c) for x in caps)]
        if free:
            what = f"no cap limits how often it asks one customer by {', '.join(free)}"
            yield at(trigger, "", what, f"{advice}, or name it in the cap of others")


def _limits(cap: Cap, trigger: Trigger, channel: str) -> bool:
    return cap.limits(trigger.survey, channel)


def no_opt_out(subject: Subject) -> Iterator[Found]:
    """A question that reaches customers only as somebody else's message.

    A mail of ours always carries the link and the headers of RFC 8058; whether what is made of a
    webhook carries its `unsubscribe_link` is not seen here.
    """
    agreed = subject.programme.consent_required
    for trigger in subject.triggers:
        if set(channels_of(trigger)) == {"webhook"} and "webhook" not in agreed:
            what = "asks by webhook alone, so nothing here shows the customer the way out"
            why = (
                "let the receiver show unsubscribe_link and ask only those who agreed "
                "(consent_required: [webhook]), or add email"
            )
            yield at(trigger, "channels", what, why)


def short_memory(subject: Subject) -> Iterator[Found]:
    """A cap that looks back further than askings are kept."""
    for path, cap in _caps(subject):
        if cap.per > subject.retention:
            kept = format_duration(subject.retention)
            what = f"{format_duration(cap.per)} is longer than EARSHOT_TRIGGER_RETENTION, {kept}"
            why = "what was asked before that is forgotten and not counted"
            yield Found(PROGRAMME, (*path, "per"), what, why)


def delay_forgets(subject: Subject) -> Iterator[Found]:
    """A question that waits longer than what it is decided by is kept."""
    kept = format_duration(subject.retention)
    for trigger in subject.triggers:
        longest = max(delays_of(trigger, subject.programme))
        if longest >= subject.retention:
            span = format_duration(longest)
            what = f"{span} is not shorter than EARSHOT_TRIGGER_RETENTION, {kept}"
            why = "what cancels it, or was asked meanwhile, is forgotten before it is decided"
            yield at(trigger, "delay", what, why)


def idle_dimension(subject: Subject) -> Iterator[Found]:
    """A cap or a target by a dimension that is read from what its events do not hold."""
    for path, cap in _caps(subject):
        limited = [t for t in subject.triggers if any(_limits(cap, t, c) for c in channels_of(t))]
        for name in cap.dimensions:
            if limited and all(_lacks(subject, trigger, name) for trigger in limited):
                yield Found(PROGRAMME, (*path, "each"), *_idle(subject, name, "it limits nobody"))
    for trigger in subject.programme.triggers.values():
        name_ = trigger.target_by
        if name_ is not None and _lacks(subject, trigger, name_):
            yield at(trigger, "target_by", *_idle(subject, name_, "all count as one segment"))


def _lacks(subject: Subject, trigger: Trigger, dimension: str) -> bool:
    path = subject.programme.segments.paths[dimension] or ""
    family = _FAMILY_OF_PART.get(path.partition(".")[0])
    own = trigger.on.partition(".")[0]
    return family is not None and own not in (family, SCHEDULE)


def _idle(subject: Subject, dimension: str, effect: str) -> tuple[str, str]:
    path = subject.programme.segments.paths[dimension]
    what = f"{dimension!r} is read from {path}, which the events that it is about do not hold"
    return what, f"{effect}, unless events bring segments.{dimension}"


def reminded_too_late(subject: Subject) -> Iterator[Found]:
    """Reminders of which some or all come when the survey has expired."""
    for key, survey in subject.programme.surveys.items():
        reminders = survey.reminders
        if reminders is None:
            continue
        fit = -(-survey.expires // reminders.after) - 1
        if fit < reminders.most:
            after, expires = format_duration(reminders.after), format_duration(survey.expires)
            what = f"{after} apart, {fit or 'none'} of {reminders.most} comes before it expires"
            why = f"it expires after {expires}; remind earlier, less often, or let it live longer"
            yield Found(SURVEYS, (key, "reminders"), what, why)


def reminded_under_a_cap(subject: Subject) -> Iterator[Found]:
    """Reminders that are always one letter too many for a cap on the customer."""
    caps = [(path, cap) for path, cap in _caps(subject) if not cap.of_group]
    for key, survey in subject.programme.surveys.items():
        reminders = survey.reminders
        if reminders is None:
            continue
        asking = [trigger for trigger in subject.triggers if trigger.survey == key]
        channels = {channel for trigger in asking for channel in channels_of(trigger)}
        full = [
            (cap.most, ".".join(path), cap)
            for path, cap in caps
            if any(cap.limits(key, channel) for channel in channels)
            and cap.most <= min(reminders.most, _letters_before(reminders, cap))
        ]
        if full:
            most, name, cap = min(full, key=lambda each: each[:2])
            what = f"{most - 1 or 'none'} of {reminders.most} can be sent: a reminder counts too,"
            what += f" and {name} allows {most} in {format_duration(cap.per)}"
            why = "the others are always too-many-recently; remind later or less, or raise the cap"
            yield Found(SURVEYS, (key, "reminders"), what, why)


def _letters_before(reminders: Reminders, cap: Cap) -> int:
    """How many letters of one question the cap sees at most when a reminder follows them."""
    return -(-cap.per // reminders.after) - 1


def hardly_open(subject: Subject) -> Iterator[Found]:
    """Quiet hours that leave almost no hour."""
    for file, path, hours in _hours(subject):
        left = _DAY - _length(hours)
        if hours != NEVER_QUIET and left < _LEAST_OPEN:
            what = f"leaves {format_duration(left)} a day in which customers are asked"
            yield Found(file, path, what, "everything is sent at once, or expires; shorten them")


def expires_overnight(subject: Subject) -> Iterator[Found]:
    """A survey that expires within the quiet hours that it must wait for."""
    programme = subject.programme
    for name in dict.fromkeys(trigger.survey for trigger in subject.triggers):
        survey = programme.surveys[name]
        quiet = _length(programme.hours_of(survey))
        if survey.expires <= quiet:
            what = f"{format_duration(survey.expires)} is not longer than the quiet hours"
            why = f"of {format_duration(quiet)}: who is due when they begin is not asked at all"
            yield Found(SURVEYS, (survey.key, "expires"), what, why)


def _caps(subject: Subject) -> Iterator[tuple[Path, Cap]]:
    for place, cap in enumerate(subject.programme.caps):
        yield ("caps", str(place)), cap


def _hours(subject: Subject) -> Iterator[tuple[str, Path, QuietHours]]:
    if subject.programme.quiet_hours is not None:
        yield PROGRAMME, ("quiet_hours",), subject.programme.quiet_hours
    for key, survey in subject.programme.surveys.items():
        if survey.quiet_hours is not None:
            yield SURVEYS, (key, "quiet_hours"), survey.quiet_hours


def _length(hours: QuietHours) -> timedelta:
    begin, end = (datetime.combine(_MORNING, wall) for wall in (hours.begin, hours.end))
    return (end - begin) % _DAY
