"""Streams that cross raise alerts, or join one: one fault, one alert.

A stream that crosses asks for one scan of the line's leaves since its onset. What open alerts
explain is taken as normal first. If the stream still fires by what is left it raises an alert, in
the slices that the scan names; if at least half of its excess is explained it joins the alert that
explains most of it, without a word: few messages; else it waits for more evidence.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, Self

import numpy as np

from services.alerts.domain.alerts import Alert, Change, State
from services.alerts.domain.answers import minute_of
from services.alerts.domain.cases import Case
from services.alerts.domain.causes import (
    JOINS_AT,
    Crossed,
    is_fired_by_rest,
    is_inside,
    share_out,
    share_within,
)
from services.alerts.domain.estimates import severity
from services.alerts.domain.facts import Crossing, Evidence
from services.alerts.domain.findings import Finding
from services.alerts.domain.leaves import Segment
from services.alerts.domain.normal import Scene
from services.alerts.handlers.bench import Bench
from services.alerts.handlers.locating import (
    Scenes,
    explain,
    find_location,
    measure,
    move_to,
)
from shared.segments import read_segment_key

A_TURN: Final = 200  # streams
HISTORIC_AFTER: Final = timedelta(hours=24)
LARGEST_LOG: Final = 690.0
SAME_TIME: Final = timedelta(hours=24)


async def raise_all(bench: Bench, finding: Finding) -> None:
    """Take each stream that fired and is not held by an alert already."""
    opened: list[str] = []
    held = bench.docket.held_rows()
    scenes = Scenes(bench, finding.minute)
    for place, i in enumerate(finding.fired()):
        row = finding.row(i)
        if row in held:
            continue
        if place % A_TURN == 0:
            await asyncio.sleep(0)  # all may cross at once, and others share this loop
        segment = read_segment_key(bench.catalogue.segments[row])
        crossing = finding.crossing(i, segment)
        case = _case_around(bench, finding.crossed(i, segment))
        if case is None:
            case = await _settle(bench, crossing, finding, i, scenes)
        if case is None:
            continue
        if case.alert.id in bench.docket.cases:
            case = replace(case, alert=case.alert.joined_by(crossing)).hold(row)
        else:
            opened.append(case.alert.id)
        _hold(bench, finding, case, row)
        held.add(row)
    for name in opened:  # told last, with all that joined it
        bench.docket.put(bench.docket.cases[name], Change.OPENED)


def _hold(bench: Bench, finding: Finding, case: Case, row: int) -> None:
    if finding.provisional:
        case = case.await_minute(row, finding.minute)
    else:
        bench.open(row, finding.now_h)
    bench.docket.put(case)


def _case_around(bench: Bench, crossed: Crossed) -> Case | None:
    """The alert within whose segment a stream rose no more than all of it: no scan is needed."""
    for case in bench.docket.cases.values():
        rate = case.alert.detractor_rate
        if is_inside(crossed, case.alert.segment, rate.baseline, rate.current):
            return case
    return None


async def _settle(
    bench: Bench, crossing: Crossing, finding: Finding, i: int, scenes: Scenes
) -> Case | None:
    """The alert that a stream joins or raises; None if it has to wait."""
    crossed = finding.crossed(i, crossing.segment)
    for case in bench.docket.cases.values():
        if abs(case.alert.began_at - crossing.began_at) <= SAME_TIME:
            scene = await scenes.since(minute_of(case.alert.began_at))
            view = _View.of(bench, scene, crossed)
            if view.joins is not None and not view.fires:
                return view.joins
    scene = await scenes.since(minute_of(crossing.began_at))
    view = _View.of(bench, scene, crossed)
    if view.fires:
        return await _raise(bench, crossing, finding, i, scene, view.held)
    return view.joins


@dataclass(frozen=True)
class _View:
    """What open alerts explain of a stream that crossed.

    `held`: the slices that overlap it. `fires`: by what they leave. `joins`: the alert that holds
    most of it, if they hold at least half.
    """

    held: list[Segment]
    fires: bool
    joins: Case | None

    @classmethod
    def of(cls, bench: Bench, scene: Scene, crossed: Crossed) -> Self:
        around: list[tuple[float, Case]] = []
        held: list[Segment] = []
        for case in bench.docket.cases.values():
            slices = [one.segment for one in case.alert.slices]
            share = share_within(scene.leaves, crossed.segment, slices)
            if share > 0:
                around.append((share, case))
                held += slices
        if not around:
            return cls(held, fires=True, joins=None)
        inside = scene.leaves.within(crossed.segment)
        before = scene.leaves.sums(inside)
        after = scene.leaves.explained_by(held).sums(inside)
        mostly = before.excess - after.excess >= JOINS_AT * before.excess
        best = max(around, key=lambda pair: pair[0])[1]
        return cls(held, is_fired_by_rest(crossed, before, after), best if mostly else None)


async def _raise(
    bench: Bench,
    crossing: Crossing,
    finding: Finding,
    i: int,
    scene: Scene,
    held: list[Segment],
) -> Case:
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
    return Case(alert, (finding.row(i),), finding.minute, size.n, alert.severity)


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
