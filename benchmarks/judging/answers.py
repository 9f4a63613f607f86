"""What the judging benchmark is fed: answers of as many streams as asked, in the order of time."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

from shared.events import PARTITIONS, RecordRef, ScoredResponse, Topic
from shared.segments import Lattice
from shared.stream import Record
from shared.wire import encode

DIMENSIONS = ("region", "store", "product", "channel")
LATTICE = Lattice(DIMENSIONS, (("store", "product"), ("region", "product")))
REGIONS, PRODUCTS, CHANNELS = 9, 18, 4
START = datetime(2026, 3, 2, 10, 56, tzinfo=UTC)  # an hour turns in the fifth minute


@dataclass
class Feed:
    """Answers that come `rate` a second, spread evenly over stores, products and channels."""

    stores: int
    rate: float
    first: int = 0

    def __post_init__(self) -> None:
        self._draw = random.Random(7 + self.first)
        self._numbers = count(self.first)
        self.nexts = dict.fromkeys(range(PARTITIONS), 0)

    @property
    def streams(self) -> int:
        """How many streams there are once each segment has had an answer."""
        singles = 1 + REGIONS + self.stores + PRODUCTS + CHANNELS
        return singles + self.stores * PRODUCTS + REGIONS * PRODUCTS

    def take(self, answers: int) -> list[Record]:
        """The next answers, as records on their partitions."""
        return [self._record(next(self._numbers)) for _ in range(answers)]

    def _record(self, number: int) -> Record:
        home = number % PARTITIONS
        offset, self.nexts[home] = self.nexts[home], self.nexts[home] + 1
        answer = self._answer(number, START + timedelta(seconds=number / self.rate))
        value = encode(answer)
        return Record(Topic.SCORED_RESPONSES, home, offset, answer.id.encode(), value, (), 0)

    def _answer(self, number: int, at: datetime) -> ScoredResponse:
        draw = self._draw.random
        detractor, store = draw() < 0.15, int(self.stores * draw())
        return ScoredResponse(
            id=f"r-{self._draw.getrandbits(80):020x}",
            version=f"{at.isoformat()}/00000000/{number}",
            survey="post-delivery",
            metric="nps",
            scale=(0, 10),
            score=2 if detractor else 9,
            klass="detractor" if detractor else "promoter",
            reasons=("delivery-late",) if detractor else (),
            comment="It came two days late." if detractor and draw() < 0.3 else None,
            segments={
                "region": f"region {store % REGIONS}",
                "store": f"store {store}",
                "product": f"product {int(PRODUCTS * draw())}",
                "channel": f"channel {int(CHANNELS * draw())}",
            },
            answered_at=at,
            received_at=at,
            scored_at=at,
            source=RecordRef(topic=Topic.SURVEY_RESPONSES, partition=0, offset=number),
        )
