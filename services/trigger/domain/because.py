"""What a person wants to know beside the reason: which cap, until when, how sure."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from services.trigger.domain.asks import Ask
from services.trigger.domain.invitations import Invitation
from services.trigger.domain.reasons import Reason
from shared.durations import format_duration
from shared.programme.asking import CUSTOMER, Cap


def because(ask: Ask, reason: Reason) -> str:
    """A sentence on this one decision; empty where the reason says it all. Names no customer."""
    say = _SAYING.get(reason)
    return say(ask) if say else ""


def because_of_reminder(letter: Invitation, most: int, reason: Reason, cap: Cap | None) -> str:
    """Which of how many reminders it is, and when it leaves or which cap objects."""
    parts = [f"Reminder {letter.reminder} of {most}."]
    if reason is Reason.QUIET_HOURS:
        parts.insert(0, f"That is at {_clock(letter.send_at)}.")
    if cap is not None:
        parts.append(_of_cap(cap, letter.channels[0], letter.segments))
    return " ".join(parts)


def _asked(ask: Ask) -> str:
    channel = ask.free[0]
    agreed = ask.consent(channel, silence=False)
    basis = "they have agreed to it" if agreed else "they have not refused it"
    return f"By {channel}: {basis}."


def _quiet(ask: Ask) -> str:
    return f"That is at {_clock(ask.send_at)}. {_asked(ask)}"


def _delayed(ask: Ask) -> str:
    return f"That is at {_clock(ask.planned_at)}."


def _settling(ask: Ask) -> str:
    return f"That is at {_clock(ask.question.due_at(ask.programme))}, or later."


def _too_old(ask: Ask) -> str:
    age = ask.question.heard_at - ask.occasion.event.time
    allowed = format_duration(ask.trigger.max_age)
    return f"It was {_hours(age.total_seconds())} old; max_age is {allowed}."


def _expired(ask: Ask) -> str:
    return f"It would have expired at {_clock(ask.expires_at)}."


def _no_consent(ask: Ask) -> str:
    refused = [c for c in ask.reachable if not ask.consent(c, silence=True)]
    silent = [c for c in ask.reachable if c not in refused]
    no = f"They have refused {' and '.join(refused)}." if refused else ""
    nothing = f"Nothing is known of {' and '.join(silent)}, which needs a yes." if silent else ""
    return f"{no} {nothing}".strip()


def _sure(ask: Ask) -> str:
    margin, trigger = ask.margin, ask.trigger
    if margin is None or margin.half_width is None or trigger.target_margin is None:
        return ""
    by = trigger.target_by
    value = ask.occasion.segments.get(by) if by else None
    where = f" of {by} {value}" if value else ""
    return (
        f"The score{where} is known to ±{margin.half_width:.1f} points from {margin.n} answers;"
        f" wanted are ±{trigger.target_margin:g}."
    )


def _share(ask: Ask) -> str:
    if ask.margin is None:
        return ""
    return f"For now it asks {ask.margin.share:.0%} of its sample. {_sure(ask)}".rstrip()


def _cancelled(ask: Ask) -> str:
    began, kinds = ask.occasion.event.time, ask.trigger.cancel_on
    hits = [c for c in ask.facts.cancelling if c.event_type in kinds and c.at >= began]
    first = min(hits, key=lambda c: (c.at, c.event_type))
    return f"It was {first.event_type} at {_clock(first.at)}."


def _capped(ask: Ask) -> str:
    channel, cap = next(iter(ask.capped.items()))
    return _of_cap(cap, channel, ask.occasion.segments)


def _capped_group(ask: Ask) -> str:
    channel, cap = next(iter(ask.capped_for_group.items()))
    return _of_cap(cap, channel, ask.occasion.segments)


def _of_cap(cap: Cap, channel: str, segments: Mapping[str, str]) -> str:
    limited = channel
    if cap.of_group:
        (name,) = cap.dimensions
        limited = f"{channel} and {name} {segments[name]}"
    return f"The cap for {limited}: {_words(cap)}."


def _words(cap: Cap) -> str:
    each = " and ".join(name if name != CUSTOMER else "the customer" for name in cap.each)
    return f"at most {cap.most} in {format_duration(cap.per)} for {each}"


def _clock(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"


_SAYING: Final[Mapping[Reason, Callable[[Ask], str]]] = {
    Reason.ASKED: _asked,
    Reason.QUIET_HOURS: _quiet,
    Reason.DELAYED: _delayed,
    Reason.SETTLING: _settling,
    Reason.TOO_OLD: _too_old,
    Reason.EXPIRED: _expired,
    Reason.NO_CONSENT: _no_consent,
    Reason.SAMPLED_ENOUGH: _sure,
    Reason.NOT_SAMPLED: _share,
    Reason.CANCELLED_BY_EVENT: _cancelled,
    Reason.TOO_MANY_RECENTLY: _capped,
    Reason.TOO_MANY_FOR_GROUP: _capped_group,
}
