"""Customers as `benchmarks.precision` makes them up: whom one may ask, and what comes of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import log
from random import Random
from typing import Final

from services.trigger.domain.precision import Target
from shared.programme.metrics import Klass, Metric, ScoreKind, find_metric

FLAT: Final = 0.3
POINTS: Final = 5.0
EXPIRES: Final = timedelta(days=7)
ROOM: Final = 1.25  # events of the least known segment, over what flat needs
NPS: Final = find_metric("nps", (0, 10))


@dataclass(frozen=True)
class Segment:
    """A part of the customers, as it is in truth."""

    name: str
    size: float
    promoters: float
    detractors: float
    rate: float

    def score(self, rules: Metric) -> float:
        lost = self.detractors if rules.score is ScoreKind.NET else 0.0
        return 100 * (self.promoters - lost)

    def needed(self, rules: Metric, points: float) -> float:
        """Invitations that bring the margin to so many points, were all of this known."""
        lost = self.detractors if rules.score is ScoreKind.NET else 0.0
        variance = self.promoters + lost - (self.promoters - lost) ** 2
        return variance * (100 * 1.96 / points) ** 2 / self.rate


@dataclass(frozen=True)
class World:
    """Segments, what a trigger wants to know of them, and how long it has."""

    segments: Sequence[Segment]
    target: Target
    hours: int
    seed: int

    @property
    def foreknown(self) -> float:
        target = self.target
        return sum(one.needed(target.rules, target.points) for one in self.segments)

    @property
    def flow(self) -> float:
        """Events an hour of a segment of size 1."""
        target, shown = self.target, FLAT * self.hours
        needs = (one.needed(target.rules, target.points) / one.size for one in self.segments)
        return ROOM * max(needs) / shown


def build_world(
    segments: int, days: int, seed: int, *, zipf: float = 1.0, rules: Metric = NPS
) -> World:
    """Segments by their rank, the size of each rank ** -zipf."""
    luck = Random(seed)
    target = Target(
        survey="post-delivery",
        dimension="region",
        points=POINTS,
        per=timedelta(days=days),
        expires=EXPIRES,
        rules=rules,
    )
    drawn = [_drawn(f"s{rank}", rank**-zipf, luck) for rank in range(1, segments + 1)]
    return World(drawn, target, days * 24, seed)


def _drawn(name: str, size: float, luck: Random) -> Segment:
    promoters, detractors = luck.uniform(0.35, 0.65), luck.uniform(0.1, 0.3)
    return Segment(name, size, promoters, detractors, luck.uniform(0.1, 0.3))


@dataclass(frozen=True)
class Customer:
    """Somebody who may be asked, and what comes of it: nothing, or an answer so much later."""

    id: str
    late: timedelta
    said: Klass | None


def customers(segment: Segment, world: World) -> Iterator[list[Customer]]:
    """Those of each hour; the same for every way to sample."""
    luck = Random(f"{world.seed} {segment.name}")
    an_hour, number = world.flow * segment.size, 0
    for hour in range(1, world.hours + 1):
        known = number
        number = int(an_hour * hour)
        yield [_customer(f"{segment.name}-{one}", segment, luck) for one in range(known, number)]


def _customer(name: str, segment: Segment, luck: Random) -> Customer:
    answers, likes = luck.random() < segment.rate, luck.random()
    late = timedelta(hours=luck.lognormvariate(log(10), 1.0)) if answers else EXPIRES
    if late >= EXPIRES:
        return Customer(name, EXPIRES, None)
    if likes < segment.promoters:
        return Customer(name, late, Klass.PROMOTER)
    bad = likes > 1 - segment.detractors
    return Customer(name, late, Klass.DETRACTOR if bad else Klass.PASSIVE)
