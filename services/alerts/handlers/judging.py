"""Judging: minutes bring the fleet forward, and open alerts with it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import msgspec

from services.alerts.domain.ahead import Ahead
from services.alerts.domain.alerts import Alert, Change, State
from services.alerts.domain.answers import begin_of, minute_of
from services.alerts.domain.cases import Case, is_look_due, why_update
from services.alerts.domain.columns import Ints
from services.alerts.domain.estimates import severity
from services.alerts.domain.findings import Finding
from services.alerts.domain.lifecycle import Closed
from services.alerts.domain.mixes import NO_ROWS, minute_within
from services.alerts.domain.streams import LeafTick, sum_within
from services.alerts.handlers.bench import Bench
from services.alerts.handlers.locating import count_again, explain, look_again, recount
from services.alerts.handlers.raising import raise_all
from shared.segments import segment_key

SILENT_FOR: Final = timedelta(days=15)  # a day more than a stream with answers is given


async def judge_minute(
    bench: Bench, minute: int, ticks: Sequence[LeafTick], left_out: Ints = NO_ROWS
) -> None:
    """Judge a closed minute for good, but for the rows that are `left_out`."""
    now_h = (minute + 1) / 60
    weighed = bench.detector.clusters.weigh(minute, ticks)
    rows_of = partial(bench.catalogue.rows_of, fleet=bench.fleet)
    index, counts = minute_within(weighed, rows_of, left_out, (now_h, 1 / 60))
    if not len(index):
        return
    judgement = bench.detector.judge(bench.fleet, index, counts)
    bench.touched.update(index.tolist())
    fresh = _open_pending(bench, minute, now_h)
    finding = Finding(index, judgement, minute, begin_of(minute + 1))
    await _end_all(bench, finding, ticks)
    for case in list(bench.docket.cases.values()):
        if case.alert.id in fresh:
            await _refresh(bench, case, finding)
        elif not case.pending:
            await _grow(bench, case, finding, ticks)
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
    """Tell the fleet of alerts that a person closed, once it knows what had raised them.

    Told before, it would find it in the open minute again, and ring for what was closed.
    """
    for case in bench.docket.take_settled(judged_to):
        for row in case.pending:
            bench.open(row, (case.opened_in + 1) / 60)
        bench.close(case.holds, accepted=case.alert.state is State.ACCEPTED)
        bench.docket.put(replace(case, pending=()))


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


async def _end_all(bench: Bench, finding: Finding, ticks: Sequence[LeafTick]) -> None:
    """End the alerts whose first stream ended; the others let go of theirs that did."""
    closed = enumerate(finding.judgement.closed)
    over = {finding.row(i): how for i, how in closed if how is not None}
    for case in list(bench.docket.cases.values()):
        how = over.get(case.holds[0])
        if how is not None:
            await _end(bench, case, finding, how, ticks)
        elif not over.keys().isdisjoint(case.holds):
            bench.docket.put(case.let_go(over))


async def _end(
    bench: Bench, case: Case, finding: Finding, how: Closed, ticks: Sequence[LeafTick]
) -> None:
    accepted = how is Closed.ACCEPTED
    bench.close(case.holds[1:], accepted=accepted)
    state = State.ACCEPTED if accepted else State.RESOLVED
    change = Change.ACCEPTED if accepted else Change.RESOLVED
    alert = await explain(bench, _sized(bench, case, finding, ticks), finding.minute)
    ended = alert.end(state, finding.at, bench.now)
    bench.docket.put(replace(case, alert=ended, pending=()), change)


def _accept(bench: Bench, case: Case, at: datetime) -> None:
    """End an alert whose stream has fallen silent: no answer will ever say that it recovered."""
    bench.close(case.holds, accepted=True)
    ended = case.alert.end(State.ACCEPTED, at, bench.now)
    bench.docket.put(replace(case, alert=ended, pending=()), Change.ACCEPTED)


async def _grow(bench: Bench, case: Case, finding: Finding, ticks: Sequence[LeafTick]) -> None:
    """Count a minute's answers for an alert, and look again when they are many more by now."""
    if finding.place(case.holds[0]) is None and finding.at - case.alert.opened_at > SILENT_FOR:
        _accept(bench, case, finding.at)
        return
    grown = replace(case, alert=_sized(bench, case, finding, ticks))
    due = is_look_due(case.alert.n, grown.alert.n)
    if not due and why_update(grown, case.alert) is None:
        if grown != case:
            bench.docket.put(grown)
        return
    seen = replace(grown, alert=await look_again(bench, grown, finding.minute))
    if why_update(seen, case.alert) is None:
        bench.docket.put(grown)
        return
    alert = await explain(bench, seen.alert, finding.minute)
    bench.docket.put(replace(seen, alert=alert.revised(bench.now)), Change.UPDATED)


async def _refresh(bench: Bench, case: Case, finding: Finding) -> None:
    """Count an alert anew once the minutes that raised it are judged: they have grown since."""
    place = finding.place(case.holds[0])
    if _is_of_stream(bench, case) and place is not None:
        alert = _of_stream(case.alert, finding, place)
    else:
        alert = await count_again(bench, case.alert, finding.minute)
    bench.docket.put(replace(case, alert=alert))


def _sized(bench: Bench, case: Case, finding: Finding, ticks: Sequence[LeafTick]) -> Alert:
    """The alert with the numbers that it has after this minute; the rise stands as told."""
    alert, place = case.alert, finding.place(case.holds[0])
    if _is_of_stream(bench, case):
        return alert if place is None else _of_stream(alert, finding, place)
    answers, detractors = sum_within(ticks, alert.segment)
    counts = (alert.n + answers, alert.detractors + detractors)
    return recount(bench, alert, counts, alert.detractor_rate.baseline, finding.minute)


def _is_of_stream(bench: Bench, case: Case) -> bool:
    return bench.catalogue.segments[case.holds[0]] == segment_key(case.alert.segment)


def _of_stream(alert: Alert, finding: Finding, place: int) -> Alert:
    size = msgspec.structs.replace(finding.size(place), rise=alert.rise)
    return alert.sized(size, severity(size.hurt_per_hour))
