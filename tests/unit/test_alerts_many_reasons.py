"""Streams that cross together for many reasons: a few alerts a minute, and the others wait."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from services.alerts.domain.alerts import Change
from services.alerts.domain.findings import Finding
from services.alerts.domain.frame import Minute
from services.alerts.domain.streams import LeafTick
from services.alerts.handlers.bench import Bench
from services.alerts.handlers.judging import close_minute, judge_minute
from services.alerts.handlers.looking import looks_due
from services.alerts.handlers.raising import RAISED_A_MINUTE, raise_all
from services.alerts.handlers.waiting import rows_above, with_rows
from shared.segments import segment_key
from tests.support.alerts_bench import MINUTE, FakePast, build_bench, fire

REASONS = 2 * RAISED_A_MINUTE + 3
AGENTS = [segment_key({"product": f"p{i}", "region": f"r{i}"}) for i in range(REASONS)]


def build_many() -> Bench:
    """As many products went wrong as others went right, each in a region of its own."""
    bench = build_bench()
    well = [segment_key({"product": f"w{i}", "region": f"v{i}"}) for i in range(REASONS)]
    ticks = [LeafTick(leaf, 100, 22) for leaf in AGENTS] + [LeafTick(leaf, 120, 0) for leaf in well]
    bench.past = FakePast(*ticks)
    for tick in ticks:
        bench.catalogue.rows_of(tick.leaf, bench.fleet)
    rows = np.arange(len(bench.fleet))
    calm = np.full(len(rows), 100.0)
    bench.detector.step(bench.fleet, rows, calm, calm / 10, (MINUTE - 4_000) / 60, 1 / 60)
    return bench


def opened(bench: Bench) -> int:
    return sum(change is Change.OPENED for _, change in bench.docket.changes)


async def test_a_minute_opens_ten_alerts_and_the_next_ones_the_rest() -> None:
    bench = build_many()
    found, seen = fire(bench, *AGENTS, evidence_of=60.0), []

    for minute in range(MINUTE, MINUTE + 3):
        await raise_all(
            bench, replace(found, minute=minute, at=found.at.replace(minute=minute - MINUTE + 1))
        )
        seen.append((opened(bench), len(bench.waiting)))

    assert seen == [(10, REASONS - 10), (20, REASONS - 20), (REASONS, 0)]
    assert {row for case in bench.docket.cases.values() for row in case.holds} == {
        bench.catalogue.row(segment) for segment in AGENTS
    }


async def test_what_the_open_minute_raised_counts_for_it() -> None:
    bench = build_many()
    found = fire(bench, *AGENTS, evidence_of=60.0, provisional=True)

    await raise_all(bench, replace(found, at=found.at.replace(second=0)))
    await raise_all(bench, replace(found, provisional=False))

    assert opened(bench) == RAISED_A_MINUTE
    assert len(bench.waiting) == REASONS - RAISED_A_MINUTE


async def test_a_stream_that_waits_is_judged_without_answers_and_raises_then() -> None:
    bench = build_bench()
    quiet, other = bench.catalogue.row('{"region":"US"}'), bench.catalogue.row('{"region":"EU"}')
    assert quiet is not None
    bench.fleet.evidence[:, quiet] = 1e12
    assert rows_above(bench.detector, bench.fleet) == [quiet]
    bench.wait([quiet])
    seen: list[Finding] = []

    async def note(_: Bench, finding: Finding) -> None:
        seen.append(finding)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("services.alerts.handlers.judging.raise_all", note)
        await close_minute(bench, MINUTE, [LeafTick('{"region":"EU"}', 3, 0)])

    (finding,) = seen
    assert finding.place(quiet) is not None
    assert finding.place(other or 0) is not None


def test_rows_without_answers_stand_in_their_order() -> None:
    counts = np.array([4.0, 6.0])
    index, minute = with_rows(np.array([2, 7]), Minute.of(counts, counts / 2, 1.0, 0.1), {5, 7, 0})

    assert index.tolist() == [0, 2, 5, 7]
    assert minute.answers.tolist() == [0, 4, 0, 6]
    assert minute.raw_detractors.tolist() == [0, 2, 0, 3]


async def test_an_alert_that_grew_is_due_until_somebody_looks() -> None:
    eu = '{"region":"EU"}'
    bench = build_bench("eu_shoes", "eu_hats")
    await raise_all(bench, fire(bench, eu))
    (case,) = bench.docket.cases.values()
    assert looks_due(bench.docket) == []

    def told() -> list[Change]:
        return [
            change for alert, change in bench.docket.changes if alert.segment == case.alert.segment
        ]

    await close_minute(bench, MINUTE + 1, [LeafTick('{"product":"hats","region":"EU"}', 300, 200)])
    (due,) = looks_due(bench.docket)
    assert due.alert.n > case.alert.n
    assert told() == [Change.OPENED]  # nobody is told before it was looked at
    await close_minute(bench, MINUTE + 2, [LeafTick('{"product":"hats","region":"EU"}', 1, 0)])
    assert [one.alert.id for one in looks_due(bench.docket)] == [case.alert.id]
    await judge_minute(bench, MINUTE + 3, [LeafTick('{"product":"hats","region":"EU"}', 1, 0)])

    assert looks_due(bench.docket) == []
    assert told() == [Change.OPENED, Change.UPDATED]


async def test_the_worst_is_looked_at_first() -> None:
    bench = build_many()
    await raise_all(bench, fire(bench, *AGENTS[:3], evidence_of=60.0))
    grown = dict(zip(bench.docket.cases, (130, 190, 150), strict=True))
    for name, n in grown.items():
        case = bench.docket.cases[name]
        bench.docket.cases[name] = replace(case, alert=msgspec.structs.replace(case.alert, n=n))

    due = [case.alert.n for case in looks_due(bench.docket)]

    assert due == sorted(due, reverse=True)
    assert len(due) == 3
