"""Judging: minutes bring the fleet forward, and open alerts with it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import msgspec

from services.alerts.domain.ahead import Ahead
from services.alerts.domain.alerts import Change, State
from services.alerts.domain.answers import begin_of, minute_of
from services.alerts.domain.cases import Case
from services.alerts.domain.columns import Ints
from services.alerts.domain.findings import Finding
from services.alerts.domain.lifecycle import Closed
from services.alerts.domain.mixes import NO_ROWS, minute_within
from services.alerts.domain.streams import LeafTick
from services.alerts.handlers.bench import Bench
from services.alerts.handlers.growing import Growth
from services.alerts.handlers.locating import Scenes, explain
from services.alerts.handlers.looking import look_again, looks_due
from services.alerts.handlers.raising import A_TURN, raise_all
from services.alerts.handlers.waiting import with_rows

ACCEPTED_FOR: Final = timedelta(days=14)  # by then what rose is normal without anybody's word
SILENT_FOR: Final = timedelta(days=15)  # a day more than a stream with answers is given


async def judge_minute(
    bench: Bench, minute: int, ticks: Sequence[LeafTick], left_out: Ints = NO_ROWS
) -> None:
    """Judge a closed minute for good, and look again at all alerts that grew by then."""
    await close_minute(bench, minute, ticks, left_out)
    scenes = Scenes(bench, minute)
    for case in looks_due(bench.docket):
        await look_again(bench, case, scenes)


async def close_minute(
    bench: Bench, minute: int, ticks: Sequence[LeafTick], left_out: Ints = NO_ROWS
) -> None:
    """Judge a closed minute for good, but for the rows that are `left_out`."""
    now_h = (minute + 1) / 60
    weighed = bench.detector.clusters.weigh(minute, ticks)
    rows_of = partial(bench.catalogue.rows_of, fleet=bench.fleet)
    index, counts = minute_within(weighed, rows_of, left_out, (now_h, 1 / 60))
    if not len(index):
        return
    index, counts = with_rows(index, counts, bench.waiting - set(left_out.tolist()))
    judgement = bench.detector.judge(bench.fleet, index, counts)
    bench.touched.update(index.tolist())
    fresh = _open_pending(bench, minute, now_h)
    finding = Finding(index, judgement, minute, begin_of(minute + 1))
    growth = Growth(bench, finding, ticks)
    await _end_all(bench, finding, growth)
    for place, case in enumerate(list(bench.docket.cases.values())):
        if place % A_TURN == 0:
            await asyncio.sleep(0)  # many may be open, and others share this loop
        if case.alert.id in fresh:
            await growth.refresh(case)
        elif not case.pending:
            _grow(bench, case, growth)
    await raise_all(bench, finding)
    settle_by_hand(bench, minute)


async def look_ahead(
    bench: Bench,
    ahead: Ahead,
    ticks: Sequence[LeafTick],
    heard: datetime,
    left_out: Ints = NO_ROWS,
) -> None:
    """Judge what open minutes hold up to `heard`, and remember only the alarms that they raise."""
    found = ahead.look(bench.catalogue, ticks, heard.timestamp() / 3600, left_out)
    if found is not None:
        index, judgement = found
        await raise_all(bench, Finding(index, judgement, minute_of(heard), heard, provisional=True))


def settle_by_hand(bench: Bench, judged_to: int) -> None:
    """Tell the fleet of alerts that a person closed, once it has seen what came until then.

    Told before, it would find the rest of it, in the open minute or in hours that are caught up
    with, and ring for what was closed.
    """
    for case in bench.docket.take_settled(judged_to):
        for row in case.pending:
            bench.open(row, (case.opened_in + 1) / 60)
        accepted = case.alert.state is State.ACCEPTED
        bench.close(case.holds, accepted=accepted)
        if accepted:
            bench.docket.accept(replace(case, holds=(), pending=()))
        else:
            bench.docket.put(replace(case, pending=()))
    bench.docket.forget_accepted(begin_of(judged_to) - ACCEPTED_FOR)


def _open_pending(bench: Bench, minute: int, now_h: float) -> set[str]:
    """Streams that an open minute raised are held by the fleet once it was judged; give alerts."""
    fresh: set[str] = set()
    for case in list(bench.docket.cases.values()):
        if case.pending and case.opened_in <= minute:
            for row in case.pending:
                bench.open(row, now_h)
            bench.docket.put(replace(case, pending=()))
            fresh.add(case.alert.id)
    return fresh


async def _end_all(bench: Bench, finding: Finding, growth: Growth) -> None:
    """End the alerts whose first stream ended; the others let go of theirs that did."""
    closed = enumerate(finding.judgement.closed)
    over = {finding.row(i): how for i, how in closed if how is not None}
    for case in list(bench.docket.cases.values()):
        how = over.get(case.holds[0])
        if how is not None:
            await _end(bench, case, how, growth)
        elif not over.keys().isdisjoint(case.holds):
            bench.docket.put(case.let_go(over))


async def _end(bench: Bench, case: Case, how: Closed, growth: Growth) -> None:
    accepted = how is Closed.ACCEPTED
    bench.close(case.holds[1:], accepted=accepted)
    state = State.ACCEPTED if accepted else State.RESOLVED
    change = Change.ACCEPTED if accepted else Change.RESOLVED
    alert = await explain(bench, growth.sized(case), growth.finding.minute)
    ended = alert.end(state, growth.finding.at, bench.now)
    bench.docket.put(replace(case, alert=ended, pending=()), change)


def _accept(bench: Bench, case: Case, at: datetime) -> None:
    """End an alert whose stream has fallen silent: no answer will ever say that it recovered."""
    bench.close(case.holds, accepted=True)
    ended = case.alert.end(State.ACCEPTED, at, bench.now)
    bench.docket.put(replace(case, alert=ended, pending=()), Change.ACCEPTED)


def _grow(bench: Bench, case: Case, growth: Growth) -> None:
    """Count a minute's answers for an alert. It may be due a look by that; its grade stands."""
    finding, told = growth.finding, case.alert
    if finding.place(case.holds[0]) is None and finding.at - told.opened_at > SILENT_FOR:
        _accept(bench, case, finding.at)
        return
    grown = msgspec.structs.replace(growth.sized(case), severity=told.severity)
    if grown != told:
        bench.docket.put(replace(case, alert=grown))
