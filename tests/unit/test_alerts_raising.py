"""One fault, one alert: who raises, who joins, and how an alert ends without answers."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from services.alerts.domain.alerts import Change, State
from services.alerts.domain.answers import Line, begin_of, minute_of
from services.alerts.domain.cases import Case, Docket
from services.alerts.domain.causes import Remark
from services.alerts.domain.detector import Detector
from services.alerts.domain.findings import Finding
from services.alerts.domain.judgement import Judgement
from services.alerts.domain.onset import Bin
from services.alerts.domain.state import FleetState
from services.alerts.domain.streams import Catalogue, LeafTick, sum_within
from services.alerts.domain.terms import Policy
from services.alerts.handlers.bench import Bench
from services.alerts.handlers.judging import judge_minute, settle_by_hand
from services.alerts.handlers.raising import raise_all
from shared.segments import Lattice, read_segment_key
from tests.support.alerts import an_alert

NOW = datetime(2026, 3, 9, 12, tzinfo=UTC)
MINUTE = minute_of(NOW)
LATTICE = Lattice(("region", "product"), (("region", "product"),))
LEAVES = [
    f'{{"product":"{product}","region":"{region}"}}'
    for region in ("EU", "US")
    for product in ("shoes", "hats")
]
EU_SHOES, US_HATS = LEAVES[0], LEAVES[3]


class FakePast:
    """Leaves as told, calm before the hour; nobody said anything. `asked`: scans that were made."""

    def __init__(self, *ticks: LeafTick) -> None:
        self._ticks = ticks
        self.asked = 0

    async def leaves(self, first: int, last: int) -> Sequence[LeafTick]:
        if last < MINUTE - 60:
            return [LeafTick(tick.leaf, 2_000, 200) for tick in self._ticks]
        self.asked += 1
        return self._ticks

    async def series(self, segment: str, first: int, last: int, width: int) -> Sequence[Bin]:
        answers, detractors = sum_within(self._ticks, read_segment_key(segment))
        calm = [Bin(MINUTE - 60 - 10 * i, 20, 2) for i in range(30, 0, -1)]
        return [*calm, *(Bin(MINUTE - i, answers / 60, detractors / 60) for i in range(59, -1, -1))]

    async def remarks(self, segment: str, first: int, last: int, most: int) -> Sequence[Remark]:
        return []


def build_bench(*hurt: str, **counts: int) -> Bench:
    """A line in which 60 of 100 are detractors in the leaves named, a tenth in the others."""
    told = dict(zip(("eu_shoes", "eu_hats", "us_shoes", "us_hats"), LEAVES, strict=True))
    many = dict.fromkeys(hurt, 60) | {told[name]: count for name, count in counts.items()}
    ticks = [LeafTick(leaf, 100, many.get(leaf, 10)) for leaf in LEAVES]
    bench = Bench(
        line=Line("nps", "post-delivery"),
        promise=1.0,
        detector=Detector(Policy()),
        fleet=FleetState.empty(),
        catalogue=Catalogue(LATTICE),
        docket=Docket(),
        past=FakePast(*ticks),
        now=NOW + timedelta(minutes=2),
        draw_id=lambda: f"a-{len(bench.docket.cases)}",
    )
    for leaf in LEAVES:
        bench.catalogue.rows_of(leaf, bench.fleet)
    everyone = np.arange(len(bench.fleet))
    calm = np.full(len(everyone), 100.0)
    bench.detector.step(bench.fleet, everyone, calm, calm / 10, (MINUTE - 5_000) / 60, 1 / 60)
    return bench


def fire(
    bench: Bench, *segments: str, provisional: bool = False, evidence_of: float = 20.0
) -> Finding:
    """A minute in which these streams cross, the first one furthest."""
    rows = [bench.catalogue.row(segment) for segment in segments]
    index = np.arange(len(bench.fleet))
    zeros = np.zeros(len(index))
    evidence = zeros.copy()
    for rank, row in enumerate(rows):
        assert row is not None
        evidence[row] = evidence_of - rank
    judgement = Judgement(
        log_evidence=evidence,
        log_threshold=zeros + 10,
        fired=evidence > 10,
        rise=zeros + 0.3,
        baseline_rate=zeros + 0.1,
        baseline_mass=zeros + 100,
        dispersion=zeros + 1.5,
        onset_h=zeros + (MINUTE - 60) / 60,
        answers=zeros + 100,
        detractors=zeros + 60,
        closed=(None,) * len(index),
        charged=zeros,
    )
    return Finding(index, judgement, MINUTE, begin_of(MINUTE + 1), provisional)


def raised(bench: Bench) -> list[tuple[dict[str, str], list[dict[str, str]]]]:
    return [(c.alert.segment, list(c.alert.also_raised)) for c in bench.docket.cases.values()]


async def test_the_stream_furthest_above_its_threshold_raises_and_its_kin_joins() -> None:
    bench = build_bench(EU_SHOES)

    await raise_all(bench, fire(bench, EU_SHOES, '{"region":"EU"}', "{}"))

    assert raised(bench) == [({"product": "shoes", "region": "EU"}, [{"region": "EU"}, {}])]
    (case,) = bench.docket.cases.values()
    assert [crossing.segment for crossing in case.alert.crossings] == [
        {"product": "shoes", "region": "EU"}, {"region": "EU"}, {},
    ]  # fmt: skip
    assert bench.docket.changes == [(case.alert, Change.OPENED)]  # told with what joined it
    assert (~np.isnan(bench.fleet.opened_at)).sum() == 3


async def test_two_faults_are_two_alerts() -> None:
    bench = build_bench(EU_SHOES, US_HATS)

    await raise_all(bench, fire(bench, EU_SHOES, US_HATS, '{"region":"US"}'))

    assert raised(bench) == [
        ({"product": "shoes", "region": "EU"}, []),
        ({"product": "hats", "region": "US"}, [{"region": "US"}]),
    ]
    assert [case.alert.explains for case in bench.docket.cases.values()] == [
        pytest.approx(0.51, abs=0.1),
        pytest.approx(0.51, abs=0.1),
    ]


async def test_what_lies_inside_an_alert_joins_it_without_a_look_at_the_past() -> None:
    bench = build_bench(*LEAVES)
    await raise_all(bench, fire(bench, "{}"))
    assert isinstance(bench.past, FakePast)
    assert bench.past.asked == 1

    await raise_all(bench, fire(bench, *LEAVES))

    assert [segment for segment, _ in raised(bench)] == [{}]
    assert bench.past.asked == 1  # however many joined


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [(20.0, []), (90.0, [({"product": "hats", "region": "US"}, [{}])])],
)
async def test_what_overlaps_an_alert_is_muted_unless_the_rest_fires_by_itself(
    evidence: float, expected: list[object]
) -> None:
    bench = build_bench(eu_shoes=40, us_hats=80)
    await raise_all(bench, fire(bench, EU_SHOES))

    await raise_all(bench, fire(bench, "{}", evidence_of=evidence))

    assert raised(bench) == [({"product": "shoes", "region": "EU"}, []), *expected]
    row = bench.catalogue.row("{}")
    assert row is not None
    assert (row in bench.docket.held_rows()) is bool(expected)  # what waits is looked at again


async def test_a_stream_that_no_slice_stands_behind_is_named_itself() -> None:
    bench = build_bench()

    await raise_all(bench, fire(bench, EU_SHOES))

    (case,) = bench.docket.cases.values()
    assert case.alert.segment == {"product": "shoes", "region": "EU"}
    assert (case.alert.n, case.alert.detractors) == (100, 60)


async def test_all_numbers_are_about_the_segment_named() -> None:
    bench = build_bench(EU_SHOES)

    await raise_all(bench, fire(bench, '{"region":"EU"}'))

    (case,) = bench.docket.cases.values()
    alert = case.alert
    assert (alert.segment, alert.n, alert.detractors) == (read_segment_key(EU_SHOES), 100, 60)
    assert alert.detractor_rate.baseline == pytest.approx(0.1, abs=0.01)
    assert alert.detractor_rate.current == 0.6
    assert 40 < alert.rise.points < 50  # shrunk
    assert alert.hurt_per_hour == pytest.approx(50, abs=1.5)
    assert alert.also_raised == ({"region": "EU"},)

    await judge_minute(bench, MINUTE + 1, [LeafTick(EU_SHOES, 3, 2), LeafTick(US_HATS, 9, 9)])

    (case,) = bench.docket.cases.values()
    assert (case.alert.n, case.alert.detractors, case.alert.revision) == (103, 62, 1)


async def test_a_stream_that_joins_later_is_no_news() -> None:
    bench = build_bench(EU_SHOES)
    await raise_all(bench, fire(bench, EU_SHOES))

    await raise_all(bench, fire(bench, EU_SHOES, '{"product":"shoes"}'))

    (case,) = bench.docket.cases.values()
    assert (case.alert.revision, case.alert.also_raised) == (1, ({"product": "shoes"},))
    assert [change for _, change in bench.docket.changes] == [Change.OPENED]


async def test_an_open_minute_leaves_the_fleet_as_it_was() -> None:
    bench = build_bench(EU_SHOES)

    await raise_all(bench, fire(bench, EU_SHOES, "{}", provisional=True))

    (case,) = bench.docket.cases.values()
    assert set(case.pending) == set(case.holds)
    assert np.isnan(bench.fleet.opened_at).all()


async def test_a_pending_stream_is_held_once_its_minute_was_judged() -> None:
    bench = build_bench(EU_SHOES)
    await raise_all(bench, fire(bench, EU_SHOES, provisional=True))

    await judge_minute(bench, MINUTE, [LeafTick(EU_SHOES, 5, 4)])

    (case,) = bench.docket.cases.values()
    assert case.pending == ()
    assert not np.isnan(bench.fleet.opened_at[case.holds[0]])


@pytest.mark.parametrize("pending", [True, False])
async def test_what_a_person_closed_the_fleet_lets_go(pending: bool) -> None:
    bench = build_bench(EU_SHOES)
    await raise_all(bench, fire(bench, EU_SHOES, "{}", provisional=pending))
    (case,) = bench.docket.cases.values()
    over = replace(case, alert=case.alert.end(State.RESOLVED, NOW, NOW))
    bench.docket.cases.clear()
    bench.docket.ended_by_hand.append(over)

    settle_by_hand(bench, MINUTE - 1)
    assert bool(bench.docket.ended_by_hand) is pending  # its minute is not judged yet
    settle_by_hand(bench, MINUTE)

    assert np.isnan(bench.fleet.opened_at).all()
    assert [c.alert.state for c in bench.docket.written()] == [State.RESOLVED]


async def test_an_alert_whose_stream_falls_silent_is_accepted_in_the_end() -> None:
    bench = build_bench()
    row = bench.catalogue.row(US_HATS)
    assert row is not None
    alert = an_alert(opened_at=NOW - timedelta(days=14))
    bench.docket.cases[alert.id] = Case(alert, (row,), 1, alert.n, alert.severity)
    bench.open(row, 1.0)

    await judge_minute(bench, MINUTE, [LeafTick(EU_SHOES, 5, 0)])
    assert not bench.docket.over
    await judge_minute(bench, MINUTE + 2 * 24 * 60, [LeafTick(EU_SHOES, 5, 0)])

    assert [case.alert.state for case in bench.docket.over.values()] == [State.ACCEPTED]
    assert np.isnan(bench.fleet.opened_at[row])


def test_an_excursion_of_the_open_minute_began_in_it_never_after_it() -> None:
    bench = build_bench(EU_SHOES)
    finding = fire(bench, EU_SHOES)
    late = replace(
        finding.judgement, onset_h=np.array([(MINUTE + 0.75) / 60]), answers=np.array([40.0])
    )

    crossing = replace(finding, judgement=late, at=begin_of(MINUTE) + timedelta(seconds=58))
    whole = replace(finding, judgement=replace(late, onset_h=np.array([MINUTE / 60])))

    assert crossing.began_at(0) == begin_of(MINUTE)
    assert crossing.crossing(0, {}).opened_at == begin_of(MINUTE) + timedelta(seconds=58)
    assert whole.began_at(0) == begin_of(MINUTE)
