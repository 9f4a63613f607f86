"""What is asked of the alerts of real sets: the acceptance checks of the detector's design."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

from tests.support.incidents import Answered, Named, Segment, between, moment, named_by

FIRST = datetime(1970, 1, 1, tzinfo=UTC)
WARM = 50
GATE = (20, 8)  # answers, detractors
STORM = (  # airline, from, to, within so many of its answers
    ("Southwest", "2015-02-21T05:00:00Z", "2015-02-22T05:00:00Z", 205),
    ("Delta", "2015-02-22T05:00:00Z", "2015-02-23T05:00:00Z", 350),
    ("US Airways", "2015-02-22T05:00:00Z", "2015-02-23T05:00:00Z", 200),
)
PRAISE = ("2015-02-23T14:00:00Z", "2015-02-24T02:00:00Z")
SILENT_UNTIL = "2015-02-21T05:00:00Z"
LATE_ORDERS = (
    ("2017-12-11T00:00:00Z", "2017-12-25T00:00:00Z"),
    ("2018-03-18T00:00:00Z", "2018-04-09T00:00:00Z"),
)


@dataclass(frozen=True)
class Check:
    """What was asked, what came, and whether that is enough."""

    asked: str
    came: str
    passed: bool

    def __str__(self) -> str:
        return f"  {'ok  ' if self.passed else 'MISS'} {self.asked:62} {self.came}"


@dataclass(frozen=True)
class Outcome:
    """A set that was played, and the alerts that came of it."""

    answers: Sequence[Answered]
    alerts: Sequence[Mapping[str, Any]]

    def named(self, segment: Segment, start: str, end: str) -> list[Named]:
        """When alerts said, in that time, that the stream or a part of it rose."""
        return [
            one
            for alert in self.alerts
            for one in named_by(alert)
            if one.segment.items() >= segment.items()
            and moment(start) <= one.opened_at <= moment(end)
        ]

    def naming(self, segment: Segment) -> list[Mapping[str, Any]]:
        """The alerts that name the stream or a part of it, in any of their fields."""
        return [
            alert
            for alert in self.alerts
            if any(said.items() >= segment.items() for said in segments_of(alert))
        ]

    def incidents(self) -> list[list[Mapping[str, Any]]]:
        """Alerts whose open times overlap, together."""
        found: list[list[Mapping[str, Any]]] = []
        until = ""
        for alert in self.alerts:  # as they opened
            if not found or alert["opened_at"] > until:
                found.append([])
            found[-1].append(alert)
            until = max(until, alert["resolved_at"] or "9999")
        return found


def segments_of(alert: Mapping[str, Any]) -> list[dict[str, str]]:
    slices = [one["segment"] for one in alert["slices"]]
    return [alert["segment"], *slices, *alert["also_raised"]]


def check_within(outcome: Outcome, segment: Segment, window: tuple[str, str], most: int) -> Check:
    """Ask for an alert that names the stream in the window, within so many of its answers."""
    where = " ".join(segment.values()) or "all"
    asked = f"{where}: alert within {most} answers from {window[0][:10]}"
    found = outcome.named(segment, *window)
    if not found:
        return Check(asked, "no alert", passed=False)
    at = min(one.opened_at for one in found)
    used = len(between(outcome.answers, "csat", segment, moment(window[0]), at))
    return Check(asked, f"{used} answers, {at:%d %b %H:%M}", used <= most)


def check_airlines(outcome: Outcome) -> Iterator[Check]:
    """Checks 1 to 6."""
    for airline, start, end, most in STORM:
        yield check_within(outcome, {"airline": airline}, (start, end), most)
    new = outcome.named({"airline": "Delta"}, *PRAISE)
    before = [a for a in outcome.naming({"airline": "Delta"}) if a["opened_at"] < PRAISE[0]]
    ends = [alert["resolved_at"] or "open" for alert in before]
    asked = "Delta in the burst of praise: none new, the open one resolves"
    gone = bool(ends) and max(ends) <= PRAISE[1]
    yield Check(asked, f"{len(new)} new; ended {', '.join(ends)}", gone and not new)
    american = len(outcome.naming({"airline": "American"}))
    yield Check("American: no alert", f"{american}", american == 0)
    early = [alert for alert in outcome.alerts if alert["opened_at"] <= SILENT_UNTIL]
    yield Check("all streams silent until the storm", f"{len(early)}", not early)


def check_random_orders(outcome: Outcome) -> Iterator[Check]:
    """Checks 7 and 8."""
    yield check_within(outcome, {}, LATE_ORDERS[1], 125)
    yield from check_outside(outcome, 2)


def check_outside(outcome: Outcome, most: int) -> Iterator[Check]:
    """Ask for few incidents without an alert in either time of late orders."""
    outside = [
        incident
        for incident in outcome.incidents()
        if not any(
            moment(low) <= one.opened_at <= moment(high)
            for alert in incident
            for one in named_by(alert)
            for low, high in LATE_ORDERS
        )
    ]
    found = len(outside)
    yield Check(f"<= {most} incidents outside both windows", f"{found}", found <= most)


def check_few(outcome: Outcome, most: int) -> Iterator[Check]:
    """Ask for few incidents; no more alerts than them either: one fault, one alert."""
    incidents, alerts = len(outcome.incidents()), len(outcome.alerts)
    came = f"{incidents}, {alerts} alerts"
    yield Check(f"<= {most} incidents", came, max(incidents, alerts) <= most)


def check_calm(outcome: Outcome, most: int) -> Iterator[Check]:
    """Ask for few incidents, and none of all answers together."""
    yield from check_few(outcome, most)
    rung = sum({} in segments_of(alert) for alert in outcome.alerts)
    yield Check("all silent", f"{rung}", rung == 0)


def check_evidence(outcome: Outcome) -> Iterator[Check]:
    """Check 13, and the house's gate, of every stream that any alert names."""
    named = [(alert["metric"], one) for alert in outcome.alerts for one in named_by(alert)]
    before = [
        len(between(outcome.answers, metric, one.segment, FIRST, one.began_at))
        for metric, one in named
    ]
    yield least("answers before an onset", before, WARM)
    yield least("answers of an alarm", (one.n for _, one in named), GATE[0])
    yield least("detractors of an alarm", (one.detractors for _, one in named), GATE[1])
    yield least("answers of an alert", (alert["n"] for alert in outcome.alerts), GATE[0])


def check_apart(outcome: Outcome) -> Iterator[Check]:
    """Ask that no two alerts are open in one place at one time."""
    both = [
        (one["segment"], one["opened_at"], other["opened_at"])
        for one, other in combinations(outcome.alerts, 2)
        if (one["metric"], one["segment"]) == (other["metric"], other["segment"])
        and other["opened_at"] < (one["resolved_at"] or "9999")
    ]
    yield Check("one alert in one place at one time", f"{both or 'yes'}", not both)


def least(what: str, values: Iterable[int], wanted: int) -> Check:
    found = min(values, default=None)
    return Check(f"{what}: >= {wanted}", f"{found}", found is None or found >= wanted)


def told(alert: Mapping[str, Any]) -> Iterator[str]:
    """An alert in a few lines."""
    rate, where = alert["detractor_rate"], " and ".join(
        ", ".join(f"{k} {v}" for k, v in one["segment"].items()) or "everywhere"
        for one in alert["slices"]
    )  # fmt: skip
    yield (
        f"  {alert['opened_at'][:16]} {alert['metric']} {where}: {rate['baseline']:.3f} to "
        f"{rate['current']:.3f}, rise {alert['rise']['points']:.1f}, n {alert['n']}, since "
        f"{alert['began_at'][:16]}, {alert['state']} {(alert['resolved_at'] or '')[:16]}"
    )
    for one in named_by(alert):
        yield f"      crossed {one.opened_at:%d %b %H:%M} {one.detractors}/{one.n} {one.segment}"
