"""An alert in words, as a good colleague would say it."""

from datetime import datetime
from typing import Final

from services.alerts.domain.alerts import Alert, State

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
    rate, rise = alert.detractor_rate, alert.rise
    low, high = rate.interval
    sentences = [
        (
            f"Since {_time(alert.began_at)}, {alert.detractors} of {alert.n} customers "
            f"({where(alert)}, {asked(alert)}) were detractors: {_percent(rate.current)}, "
            f"95 % interval {_percent(low)} to {_percent(high)}, where {_percent(rate.baseline)} "
            "is normal."
        ),
        (
            f"That is a rise of {rise.points:.0f} points ({rise.interval[0]:.0f} to "
            f"{rise.interval[1]:.0f}), about {_pace(alert.hurt_per_hour)}."
        ),
        (
            f"Evidence: e-value {_odds(alert.evidence.e_value)}; chance raises at most "
            f"{_alerts(alert.evidence.false_alarms_per_week)} a week over all segments together."
        ),
    ]
    if alert.segment:
        sentences.append(f"It explains {_percent(alert.explains)} of the rise in the survey.")
    grown = [one for one in alert.top_reasons if one.change > 0]
    if grown:
        named = ", ".join(f"{one.reason} ({_percent(one.share)})" for one in grown[:3])
        sentences.append(f"Reasons that grew: {named}.")
    if alert.sample_comments:
        sentences.append(f'Somebody wrote: "{alert.sample_comments[0]}"')
    return " ".join(part for part in (*sentences, _ending(alert), link) if part)


def where(alert: Alert) -> str:
    """The segment in words."""
    if not alert.segment:
        return "all customers"
    return ", ".join(f"{name} {value}" for name, value in alert.segment.items())


def asked(alert: Alert) -> str:
    """The survey and what it measures."""
    return f"{alert.survey}, {alert.metric}" if alert.survey else alert.metric


def _ending(alert: Alert) -> str:
    if alert.resolved_at is None:
        return f"Acknowledged by {alert.acknowledged.by}." if alert.acknowledged else ""
    by = f" by {alert.closed.by}" if alert.closed else ""
    verb = "Resolved" if alert.state is State.RESOLVED else "Accepted as the new normal"
    return f"{verb}{by} at {_time(alert.resolved_at)}."


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if 0 < share < 0.01 else f"{100 * share:.0f} %"


def _odds(value: float) -> str:
    return f"{value:,.0f}" if value < MANY else f"over {MANY:,}"


def _alerts(number: float) -> str:
    return f"{number:g} alert" if number == 1 else f"{number:g} alerts"


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def _pace(an_hour: float) -> str:
    often, rate = ("an hour", an_hour) if an_hour >= 1 else ("a day", 24 * an_hour)
    number = f"{rate:.0f}" if rate >= 2 else f"{rate:.1f}"
    return f"{number} unhappy customers more than usual {often}"
