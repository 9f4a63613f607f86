"""Streams that cross raise alerts, or join one: one fault, one alert.

A stream that crosses asks for one scan of the line's leaves since its onset. What open alerts
explain is taken as normal first. If the stream still fires by what is left it raises an alert, in
the slices that the scan names; if at least half of its excess is explained it joins the alert that
explains most of it, without a word: few messages; else it waits for more evidence.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

import numpy as np

from services.alerts.domain.alerts import Alert, Change, State
from services.alerts.domain.answers import begin_of, minute_of
from services.alerts.domain.cases import Case
from services.alerts.domain.causes import share_out
from services.alerts.domain.estimates import severity
from services.alerts.domain.facts import Crossing, Evidence
from services.alerts.domain.findings import Finding
from services.alerts.domain.leaves import Segment
from services.alerts.handlers.bench import Bench
from services.alerts.handlers.incidents import Incidents, Meeting
from services.alerts.handlers.locating import Scenes, explain, find_location, measure, move_to
from shared.segments import read_segment_key

A_TURN: Final = 200  # streams
HISTORIC_AFTER: Final = timedelta(hours=24)
LARGEST_LOG: Final = 690.0
RAISED_A_MINUTE: Final = 10


async def raise_all(bench: Bench, finding: Finding) -> None:
    """Take each stream that fired and is not held by an alert already.

    At most ten alerts are opened in a minute of event time: nobody reads more. The other streams
    wait, with all their evidence, in `bench.waiting`; the next minute takes them with its own.
    """
    waiting: set[int] = set()
    held = bench.docket.held_rows()
    scenes = Scenes(bench, finding.minute)
    incidents = Incidents(bench, scenes, bench.docket.around())
    accepted = Incidents(bench, scenes, bench.docket.accepted)
    room = RAISED_A_MINUTE - _raised_in(bench, finding.minute)
    opened: list[str] = []
    fired = [i for i in finding.fired() if finding.row(i) not in held]
    for place, i in enumerate(fired):
        if place % A_TURN == 0:
            await asyncio.sleep(0)  # all may cross at once, and others share this loop
        met = await _meet(bench, finding, i, (accepted, incidents))
        if met.joins is not None:
            _join(bench, finding, i, met.joins)
        elif met.fires and len(opened) < room:
            case = await _raise(bench, finding, i, incidents.scenes, met.held)
            _hold(bench, finding, case, finding.row(i))
            incidents.add(case)
            opened.append(case.alert.id)
        elif met.fires:
            waiting.add(finding.row(i))
    for name in opened:  # told last, with all that joined it
        bench.docket.put(bench.docket.cases[name], Change.OPENED)
    if not finding.provisional:
        bench.wait(waiting)


async def _meet(
    bench: Bench, finding: Finding, i: int, alerts: tuple[Incidents, Incidents]
) -> Meeting:
    """What becomes of a stream beside accepted alerts and open ones.

    One that rose before a person accepted that, and crosses by it, takes it as normal; one that
    only part of it explains waits. What rises afterwards is a fault of its own.
    """
    accepted, incidents = alerts
    crossed, began_at = finding.crossed(i, _segment(bench, finding, i)), finding.began_at(i)
    said = [case.alert.resolved_at for case in bench.docket.accepted.values()]
    if any(at is not None and began_at <= at for at in said):
        met = await accepted.meet(crossed, began_at)
        if met.joins is not None and not finding.provisional:
            bench.open(finding.row(i), finding.now_h)
            bench.close([finding.row(i)], accepted=True)
        if not met.fires:
            return Meeting()
    return await incidents.meet(crossed, began_at)


def _segment(bench: Bench, finding: Finding, i: int) -> dict[str, str]:
    return read_segment_key(bench.catalogue.segments[finding.row(i)])


def _join(bench: Bench, finding: Finding, i: int, case: Case) -> None:
    crossing, row = finding.crossing(i, _segment(bench, finding, i)), finding.row(i)
    alert = case.alert if case.alert.state.is_over else case.alert.joined_by(crossing)
    joined = replace(case, alert=alert).hold(row)
    _hold(bench, finding, joined, row)


def _raised_in(bench: Bench, minute: int) -> int:
    """How many alerts a minute has opened so far, while it was open."""
    first, last = begin_of(minute), begin_of(minute + 1)
    around = bench.docket.around().values()
    return sum(first < case.alert.opened_at <= last for case in around)


def _hold(bench: Bench, finding: Finding, case: Case, row: int) -> None:
    if finding.provisional:
        case = case.await_minute(row, finding.minute)
    else:
        bench.open(row, finding.now_h)
    bench.docket.put(case)


async def _raise(
    bench: Bench, finding: Finding, i: int, scenes: Scenes, held: Sequence[Segment]
) -> Case:
    crossing = finding.crossing(i, _segment(bench, finding, i))
    scene = await scenes.since(minute_of(crossing.began_at))
    size = finding.size(i)
    crossed = finding.crossed(i, crossing.segment)
    alert = _begin(bench, crossing, finding, i)
    location = find_location(bench, scene, crossed, held)
    if location is None:
        location = share_out(scene.leaves.explained_by(held), [crossing.segment])
    alert = move_to(bench, alert, location, scene, finding.minute)
    mass = float(finding.judgement.baseline_mass[i])
    if alert.segment != crossing.segment:
        mass = scene.mass_within(alert.segment) / bench.dispersion
    alert = await measure(bench, alert, mass, finding.minute)
    alert = await explain(bench, alert, finding.minute)
    row = finding.row(i)
    return Case(alert, (row,), finding.minute, size.n, alert.severity, looked_n=alert.n)


def _begin(bench: Bench, crossing: Crossing, finding: Finding, i: int) -> Alert:
    """An alert of the stream that crossed, before it is explained."""
    size = finding.size(i)
    evidence = Evidence(
        e_value=float(np.exp(min(finding.judgement.log_evidence[i], LARGEST_LOG))),
        false_alarms_per_week=bench.promise,
    )
    return Alert(
        id=bench.draw_id(),
        state=State.OPEN,
        revision=1,
        severity=severity(size.hurt_per_hour),
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
