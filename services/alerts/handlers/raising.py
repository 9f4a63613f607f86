"""Streams that cross raise alerts, or join one: one fault, one alert.

A stream that crosses joins an open alert of its line when at least half of its excess detractors
lie in that alert's segment: always for what lies inside it, and for a parent or a neighbour when it
crossed because of it. Else it raises an alert of its own.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Final

import numpy as np

from services.alerts.domain.alerts import Alert, Change, State
from services.alerts.domain.answers import DAY, minute_of
from services.alerts.domain.cases import Case
from services.alerts.domain.causes import (
    JOINS_AT,
    Expected,
    explained_share,
    grown_reasons,
    sample,
    share_inside,
)
from services.alerts.domain.estimates import severity
from services.alerts.domain.facts import Cause, Crossing, Evidence
from services.alerts.domain.findings import Finding
from services.alerts.domain.streams import ALL
from services.alerts.handlers.bench import Bench
from shared.segments import read_segment_key, segment_key

HISTORIC_AFTER: Final = timedelta(hours=24)
LARGEST_LOG: Final = 690.0
REMARKS_NOW: Final = 2_000
REMARKS_BEFORE: Final = 5_000
BEFORE: Final = 28 * DAY


async def raise_all(bench: Bench, finding: Finding) -> None:
    """Take each stream that fired and is not held by an alert already."""
    opened: list[str] = []
    joined: set[str] = set()
    for i in finding.fired():
        row = finding.row(i)
        if not bench.docket.is_free(row):
            continue
        segment = read_segment_key(bench.catalogue.segments[row])
        crossing = finding.crossing(i, segment)
        behind = await _case_behind(bench, segment, finding, i)
        if behind is None:
            case = await _raise(bench, crossing, finding, i)
            opened.append(case.alert.id)
        else:
            joined.add(behind.alert.id)
            case = replace(behind, alert=behind.alert.joined_by(crossing)).hold(row)
        if finding.provisional:
            case = case.await_minute(row, finding.minute)
        else:
            bench.open(row, finding.now_h)
        bench.docket.put(case)
    for name in opened:  # told last, with all that joined it
        bench.docket.put(bench.docket.cases[name], Change.OPENED)
    for name in sorted(joined.difference(opened)):
        case = bench.docket.cases[name]
        told = await explain(bench, case.alert.revised(bench.now), finding.minute)
        bench.docket.put(replace(case, alert=told), Change.UPDATED)


async def explain(bench: Bench, alert: Alert, minute: int) -> Alert:
    """Find what is behind an alert, up to that minute."""
    key, first = segment_key(alert.segment), minute_of(alert.began_at)
    ticks = await bench.past.leaves(first, minute)
    now = await bench.past.remarks(key, first, minute, REMARKS_NOW)
    before = await bench.past.remarks(key, first - BEFORE, first - 1, REMARKS_BEFORE)
    slice_ = Expected(alert.segment, alert.detractor_rate.baseline)
    everything = Expected({}, bench.normal_rate(ALL, slice_.rate))
    cause = Cause(
        explains=round(explained_share(ticks, slice_, everything), 4),
        top_reasons=grown_reasons(now, before),
        sample_comments=sample(now),
    )
    return alert.explained(cause)


async def _case_behind(
    bench: Bench, segment: dict[str, str], finding: Finding, i: int
) -> Case | None:
    cases = list(bench.docket.cases.values())
    around = next((c for c in cases if c.alert.segment.items() <= segment.items()), None)
    if around is not None or not cases:
        return around
    ticks = await bench.past.leaves(minute_of(finding.began_at(i)), finding.minute)
    crossed = Expected(segment, float(finding.judgement.baseline_rate[i]))
    shares = [
        share_inside(ticks, crossed, Expected(c.alert.segment, c.alert.detractor_rate.baseline))
        for c in cases
    ]
    best = int(np.argmax(shares))
    return cases[best] if shares[best] >= JOINS_AT else None


async def _raise(bench: Bench, crossing: Crossing, finding: Finding, i: int) -> Case:
    size = finding.size(i)
    graded = severity(size.hurt_per_hour)
    evidence = Evidence(
        e_value=float(np.exp(min(finding.judgement.log_evidence[i], LARGEST_LOG))),
        false_alarms_per_week=bench.promise,
    )
    alert = Alert(
        id=bench.draw_id(),
        state=State.OPEN,
        revision=1,
        severity=graded,
        metric=bench.line.metric,
        survey=bench.line.survey or None,
        segment=crossing.segment,
        began_at=crossing.began_at,
        opened_at=crossing.opened_at,
        raised_at=bench.now,
        updated_at=bench.now,
        n=size.n,
        detractors=size.detractors,
        detractor_rate=size.rates,
        rise=size.rise,
        hurt_per_hour=size.hurt_per_hour,
        evidence=evidence,
        explains=0.0,
        slices=(),
        crossings=(crossing,),
        historic=bench.now - crossing.opened_at > HISTORIC_AFTER,
    )
    alert = await explain(bench, alert, finding.minute)
    return Case(alert, (finding.row(i),), finding.minute, alert.n, graded)
