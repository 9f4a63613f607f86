"""An alert in words, as a good colleague would say it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from services.alerts.domain.alerts import Alert, State

NAMED: Final = 3  # slices, further segments, reasons
MANY: Final = 1_000_000  # an e-value past it is certain, and has up to 200 digits


def title(alert: Alert) -> str:
    """One line: how bad, where, in which survey."""
    rate = alert.detractor_rate
    if alert.state is State.RESOLVED:
        return f"Recovered: {where(alert)}, {asked(alert)}"
    if alert.state is State.ACCEPTED:
        return f"Accepted as normal: {where(alert)}, {asked(alert)}"
    return (
        f"{where(alert)}: {_percent(rate.current)} detractors where "
        f"{_percent(rate.baseline)} is normal ({asked(alert)})"
    )


def story(alert: Alert, link: str) -> str:
    """What, where, since when, how sure, how many customers, likely why, and where to look."""
    said = [*sentences(alert), *(f'Somebody wrote: "{one}"' for one in alert.sample_comments[:1])]
    return " ".join(part for part in (*said, ending(alert), link) if part)


def sentences(alert: Alert) -> list[str]:
    """The same without what customers wrote, how it ended and the link."""
    rate, rise = alert.detractor_rate, alert.rise
    low, high = rate.interval
    verb = "was a detractor" if alert.n == 1 else "were detractors"
    said = [
        (
            f"Since {_time(alert.began_at)}{_about(alert.began_between)}, "
            f"{alert.detractors} of {_customers(alert.n)} ({where(alert)}, {asked(alert)}) {verb}: "
            f"{_percent(rate.current)}, 95 % interval {_percent(low)} to {_percent(high)}, "
            f"where {_percent(rate.baseline)} is normal."
        ),
        (
            f"The true rise is likely about {_points(rise.points)} ({rise.interval[0]:.0f} to "
            f"{rise.interval[1]:.0f}): {_pace(alert.hurt_per_hour)}."
        ),
        (
            f"Evidence: e-value {_odds(alert.evidence.e_value)}; chance raises at most "
            f"{_alerts(alert.evidence.false_alarms_per_week)} a week over all segments together."
        ),
    ]
    return [one for one in (*said, _explained(alert), _elsewhere(alert), _why(alert)) if one]


def ending(alert: Alert) -> str:
    """Who looks at it, or how it ended; empty while nobody does."""
    if alert.resolved_at is None:
        return f"Acknowledged by {alert.acknowledged.by}." if alert.acknowledged else ""
    by = f" by {alert.closed.by}" if alert.closed else ""
    verb = "Resolved" if alert.state is State.RESOLVED else "Accepted as the new normal"
    return f"{verb}{by} at {_time(alert.resolved_at)}."


def where(alert: Alert) -> str:
    """The segment in words."""
    return place(alert.segment)


def place(segment: Mapping[str, str]) -> str:
    """A segment in words, the same in each message: short names first, as jsonb gives them."""
    if not segment:
        return "all customers"
    return ", ".join(f"{name} {value}" for name, value in sorted(segment.items(), key=_length))


def asked(alert: Alert) -> str:
    """The survey and what it measures."""
    return f"{alert.survey}, {alert.metric}" if alert.survey else alert.metric


def _explained(alert: Alert) -> str:
    if not alert.segment:
        return ""
    further = [one for one in alert.slices if one.segment != alert.segment][:NAMED]
    also = "".join(f"; {place(one.segment)} {_percent(one.share)}" for one in further)
    return f"It explains {_percent(alert.explains)} of the rise in the survey{also}."


def _elsewhere(alert: Alert) -> str:
    also = [place(segment) for segment in alert.also_raised if segment != alert.segment]
    if not also:
        return ""
    more = len(also) - NAMED
    rest = f"; and {more} more" if more > 0 else ""
    return f"Also seen in {'; '.join(also[:NAMED])}{rest}."


def _why(alert: Alert) -> str:
    grown = [one for one in alert.top_reasons if one.change > 0]
    if not grown:
        return ""
    named = ", ".join(
        f"{one.reason} ({_percent(one.share)}, before {_percent(max(one.share - one.change, 0))})"
        for one in grown[:NAMED]
    )
    verb = "Reason that grew" if len(grown[:NAMED]) == 1 else "Reasons that grew"
    return f"{verb}: {named}."


def _length(part: tuple[str, str]) -> tuple[int, str]:
    return len(part[0]), part[0]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if 0 < share < 0.01 else f"{100 * share:.0f} %"


def _odds(value: float) -> str:
    return f"{value:,.0f}" if value < MANY else f"over {MANY:,}"


def _alerts(number: float) -> str:
    return f"{number:g} alert" if number == 1 else f"{number:g} alerts"


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def _customers(number: int) -> str:
    return "1 customer" if number == 1 else f"{number:,} customers"


def _points(number: float) -> str:
    text = f"{number:.0f}"
    return f"{text} point" if text == "1" else f"{text} points"


def _about(between: tuple[datetime, datetime] | None) -> str:
    if between is None:
        return ""
    first, last = between
    words = f"{last:%H:%M}" if first.date() == last.date() else f"{last:%Y-%m-%d %H:%M}"
    return f" (or any time from {first:%Y-%m-%d %H:%M} to {words})"


def _pace(an_hour: float) -> str:
    often, rate = ("an hour", an_hour) if an_hour >= 1 else ("a day", 24 * an_hour)
    text = f"{rate:.0f}" if rate >= 1.95 else f"{rate:.1f}"
    one = text in {"1", "1.0"}
    people = "1 unhappy customer" if one else f"{text} unhappy customers"
    return f"{people} more than usual {often}"
