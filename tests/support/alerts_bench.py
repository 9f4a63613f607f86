"""A line on which streams cross: four leaves, a fleet, and what one minute says of it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from services.alerts.domain.answers import Line, begin_of, minute_of
from services.alerts.domain.cases import Docket
from services.alerts.domain.causes import Remark
from services.alerts.domain.detector import Detector
from services.alerts.domain.findings import Finding
from services.alerts.domain.judgement import Judgement
from services.alerts.domain.onset import Bin
from services.alerts.domain.state import FleetState
from services.alerts.domain.streams import Catalogue, LeafTick, sum_within
from services.alerts.domain.terms import Policy
from services.alerts.handlers.bench import Bench
from shared.segments import Lattice, read_segment_key

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
