"""Judging: minutes bring the fleet forward, and open alerts with it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from services.alerts.domain.ahead import Ahead
from services.alerts.domain.alerts import Alert, Change, State
from services.alerts.domain.answers import begin_of, minute_of
from services.alerts.domain.cases import Case, why_update
from services.alerts.domain.estimates import severity
from services.alerts.domain.findings import Finding
from services.alerts.domain.lifecycle import Closed
from services.alerts.domain.streams import LeafTick, gather
from services.alerts.handlers.bench import Bench
from services.alerts.handlers.raising import explain, raise_all

SILENT_FOR: Final = timedelta(days=15)  # a day more than a stream with answers is given


async def judge_minute(bench: Bench, minute: int, ticks: Sequence[LeafTick]) -> None:
    """Judge a closed minute for good."""
    index, answers, detractors = gather(
        (bench.catalogue.rows_of(tick.leaf, bench.fleet), tick.answers, tick.detractors)
        for tick in ticks
    )
    if not len(index):
        return
    now_h = (minute + 1) / 60
    judgement = bench.detector.step(bench.fleet, index, answers, detractors, now_h, 1 / 60)
    bench.touched.update(index.tolist())
    _open_pending(bench, minute, now_h)
    finding = Finding(index, judgement, minute, begin_of(minute + 1))
    for i, how in enumerate(judgement.closed):
        if how is not None:
            await _end(bench, finding, i, how)
    for case in list(bench.docket.cases.values()):
        place = finding.place(case.holds[0])
        if place is not None:
            await _grow(bench, case, finding, place)
        elif finding.at - case.alert.opened_at > SILENT_FOR:
            _accept(bench, case, finding.at)
    await raise_all(bench, finding)
    settle_by_hand(bench, minute)


async def look_ahead(
    bench: Bench, ahead: Ahead, ticks: Sequence[LeafTick], heard: datetime
) -> None:
    """Judge what open minutes hold up to `heard`, and remember only the alarms that they raise."""
    found = ahead.look(bench.catalogue, ticks, heard.timestamp() / 3600)
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


def _open_pending(bench: Bench, minute: int, now_h: float) -> None:
    """Streams that an open minute raised are held by the fleet once it was judged."""
    for case in list(bench.docket.cases.values()):
        if case.pending and case.opened_in <= minute:
            for row in case.pending:
                bench.open(row, now_h)
            bench.docket.put(replace(case, pending=()))


async def _end(bench: Bench, finding: Finding, i: int, how: Closed) -> None:
    row = finding.row(i)
    case = bench.docket.of_row(row)
    if case is None:
        return
    if case.holds[0] != row:
        bench.docket.put(case.let_go(row))
        return
    accepted = how is Closed.ACCEPTED
    bench.close(case.holds[1:], accepted=accepted)
    state = State.ACCEPTED if accepted else State.RESOLVED
    change = Change.ACCEPTED if accepted else Change.RESOLVED
    alert = await explain(bench, _sized(case.alert, finding, i), finding.minute)
    ended = alert.end(state, finding.at, bench.now)
    bench.docket.put(replace(case, alert=ended, pending=()), change)


def _accept(bench: Bench, case: Case, at: datetime) -> None:
    """End an alert whose stream has fallen silent: no answer will ever say that it recovered."""
    bench.close(case.holds, accepted=True)
    ended = case.alert.end(State.ACCEPTED, at, bench.now)
    bench.docket.put(replace(case, alert=ended, pending=()), Change.ACCEPTED)


async def _grow(bench: Bench, case: Case, finding: Finding, i: int) -> None:
    grown = replace(case, alert=_sized(case.alert, finding, i))
    if why_update(grown, case.alert) is None:
        bench.docket.put(grown)
        return
    alert = await explain(bench, grown.alert, finding.minute)
    bench.docket.put(replace(grown, alert=alert.revised(bench.now)), Change.UPDATED)


def _sized(alert: Alert, finding: Finding, i: int) -> Alert:
    size = finding.size(i)
    return alert.sized(size, severity(size.hurt_per_hour))
