"""A line of answers in memory with faults at random, judged minute by minute."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import product

import numpy as np
from scipy.special import expit, logit

from services.alerts.domain.alerts import Alert, Change
from services.alerts.domain.answers import Line, begin_of
from services.alerts.domain.cases import Docket
from services.alerts.domain.causes import Remark
from services.alerts.domain.detector import Detector
from services.alerts.domain.onset import Bin
from services.alerts.domain.state import FleetState
from services.alerts.domain.streams import Catalogue, LeafTick, within
from services.alerts.domain.terms import Policy
from services.alerts.handlers.bench import Bench
from services.alerts.handlers.judging import judge_minute
from shared.segments import Lattice, read_segment_key, segment_key

SIZES = {"channel": 3, "product": 4, "region": 4}
LATTICE = Lattice(tuple(SIZES), (("product", "region"),))
SEGMENTS = [
    {name: f"{name}-{value}" for name, value in zip(SIZES, values, strict=True)}
    for values in product(*map(range, SIZES.values()))
]
KEYS = [segment_key(segment) for segment in SEGMENTS]
HOUR = 60
START = 29_500_000 // HOUR * HOUR


@dataclass(frozen=True)
class Fault:
    """Detractors in a segment become likelier from an hour on: by odds times four."""

    segment: dict[str, str]
    since_h: int
    shift: float = float(np.log(4))


@dataclass
class MemoryPast:
    """What was counted, hour by hour."""

    hours: list[tuple[int, list[LeafTick]]] = field(default_factory=list)

    async def leaves(self, first: int, last: int) -> Sequence[LeafTick]:
        sums: dict[str, list[int]] = {}
        for minute, ticks in self.hours:
            if first <= minute <= last:
                for tick in ticks:
                    held = sums.setdefault(tick.leaf, [0, 0])
                    held[0] += tick.answers
                    held[1] += tick.detractors
        return [LeafTick(leaf, sums[leaf][0], sums[leaf][1]) for leaf in sorted(sums)]

    async def series(self, segment: str, first: int, last: int, width: int) -> Sequence[Bin]:
        inside = read_segment_key(segment)
        bins = []
        for minute, ticks in self.hours:
            if not first <= minute <= last:
                continue
            held = [t for t in ticks if within(t.leaf, inside)]
            if held:
                bins.append(
                    Bin(minute, sum(t.answers for t in held), sum(t.detractors for t in held))
                )
        return bins

    async def remarks(self, segment: str, first: int, last: int, most: int) -> Sequence[Remark]:
        return []


@dataclass
class Run:
    """What came of it: the alerts as they were opened, as they stand, and every message."""

    opened: list[Alert]
    alerts: dict[str, Alert]
    told: list[tuple[Alert, Change]]


async def run_faults(
    seed: int, faults: Sequence[Fault], *, hours: int = 24 * 7, an_hour: float = 120.0
) -> Run:
    """Judge that many hours of answers; Zipf volumes, rates of leaves that differ."""
    rng = np.random.default_rng(seed)
    past = MemoryPast()
    bench = Bench(
        line=Line("nps", "post-delivery"),
        promise=1.0,
        detector=Detector(Policy()),
        fleet=FleetState.empty(),
        catalogue=Catalogue(LATTICE),
        docket=Docket(),
        past=past,
        now=begin_of(START),
        draw_id=lambda: f"a-{rng.integers(1 << 40)}",
    )
    volumes = np.ones(len(SEGMENTS))
    for name, many in SIZES.items():
        share = rng.permutation(1 / np.sqrt(np.arange(1, many + 1)))
        places = [int(segment[name].split("-")[1]) for segment in SEGMENTS]
        volumes *= (share / share.sum())[places]
    normal = logit(0.12) + rng.normal(0, 0.15, len(SEGMENTS))
    for hour in range(hours):
        odds = normal.copy()
        for fault in faults:
            inside = [fault.segment.items() <= segment.items() for segment in SEGMENTS]
            odds += fault.shift * np.array(inside) * (hour >= fault.since_h)
        answers = rng.poisson(an_hour * volumes)
        hurt = rng.binomial(answers, expit(odds))
        counts = zip(KEYS, answers.tolist(), hurt.tolist(), strict=True)
        ticks = [LeafTick(*count) for count in counts if count[1]]
        minute = START + hour * HOUR
        past.hours.append((minute, ticks))
        bench.now = begin_of(minute) + timedelta(minutes=2)
        await judge_minute(bench, minute, ticks)
    told = bench.docket.changes
    alerts = {alert.id: alert for alert, _ in told}
    alerts |= {case.alert.id: case.alert for case in bench.docket.cases.values()}
    return Run([alert for alert, change in told if change is Change.OPENED], alerts, told)
