"""Alerts on real PostgreSQL without Kafka: partitions are lists, the clock is ours."""

import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.consumer import GROUP, build_decoders, build_handler
from services.alerts.domain.alerts import Alert, State
from services.alerts.domain.deliveries import Way
from services.alerts.domain.estimates import Severity
from services.alerts.domain.facts import Evidence, Rates, ReasonShare, Rise, Slice
from services.alerts.domain.terms import Policy
from services.alerts.store.alerts import list_alerts
from services.alerts.store.lines import read_judged
from services.alerts.worker.courtroom import Terms
from services.alerts.worker.judge import Judge
from services.alerts.worker.lookout import Lookout, Where
from shared.events import RecordRef, ScoredResponse, Topic
from shared.segments import Lattice
from shared.stream.records import Decoded, Record
from shared.wire import encode

LATTICE = Lattice(("region", "product"), (("region", "product"),))
PARTITIONS = 3
TOPIC = Topic.SCORED_RESPONSES
START = datetime(2026, 3, 2, tzinfo=UTC)


def scored(number: int, at: datetime, *, detractor: bool, **changed: Any) -> ScoredResponse:
    """An answer; what is not named is what it mostly is."""
    score = 2 if detractor else 9
    usual: dict[str, Any] = {
        "id": f"r-{number:06}",
        "version": f"{at.isoformat()}/00000000/0",
        "survey": "post-delivery",
        "metric": "nps",
        "scale": (0, 10),
        "score": score,
        "klass": "detractor" if detractor else "promoter",
        "segments": {"region": "EU", "product": "shoes"},
        "answered_at": at,
        "received_at": at,
        "scored_at": at,
        "source": RecordRef(topic="survey-responses", partition=0, offset=number),
    }
    return ScoredResponse(**(usual | changed))


@dataclass
class AlertsRig:
    """A counting consumer and judges over one database; records stand in lists, not on Kafka."""

    engine: AsyncEngine
    ways: Mapping[str, Way] = field(default_factory=dict)
    now: datetime = START + timedelta(days=30)
    cluster_by: str | None = None
    changed: Callable[[], None] = lambda: None  # is called by judges
    log: str = field(default_factory=lambda: secrets.token_hex(4))
    topic: list[list[ScoredResponse]] = field(
        default_factory=lambda: [[] for _ in range(PARTITIONS)]
    )
    counted: list[int] = field(default_factory=lambda: [0] * PARTITIONS)

    def put(self, answers: Iterable[ScoredResponse]) -> None:
        """Append to the partitions, by id."""
        for answer in answers:
            self.topic[crc32(answer.id.encode()) % PARTITIONS].append(answer)

    async def count(self, number: int, most: int = 10_000) -> None:
        """Settle the next records of one partition, as the loop does: in one transaction."""
        first = self.counted[number]
        records = self.topic[number][first : first + most]
        self.counted[number] = first + len(records)
        decode, handle = build_decoders(LATTICE, self.cluster_by)[TOPIC], build_handler(self.log)
        items = []
        for place, answer in enumerate(records, first):
            record = Record(TOPIC, number, place, answer.id.encode(), encode(answer), (), 0)
            items.append(Decoded(record, decode(record)))
        async with self.engine.begin() as connection:
            await connection.execute(_MOVE, self._names(number) | {"next": self.counted[number]})
            if items:
                await handle(items, connection)

    async def count_all(self) -> None:
        for number in range(PARTITIONS):
            await self.count(number)

    def judge(self, lattice: Lattice = LATTICE, **policy: Any) -> Judge:
        """A judge that has not been elected yet."""

        async def ends() -> Mapping[int, int]:
            return {number: len(records) for number, records in enumerate(self.topic)}

        lookout = Lookout(ends, Where(GROUP, self.log, TOPIC), settle_s=0.0)
        terms = Terms(Policy(**policy), lattice, self.ways, lambda: self.now, self.changed)
        return Judge(self.engine, lookout, terms)

    async def alerts(self) -> Sequence[Alert]:
        """All alerts, oldest first."""
        async with self.engine.begin() as connection:
            return list(await list_alerts(connection, None, None, 500))[::-1]

    async def judged_to(self) -> datetime | None:
        async with self.engine.begin() as connection:
            return await read_judged(connection)

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        async with self.engine.connect() as connection:
            return [tuple(row) for row in await connection.execute(sa.text(query))]

    def _names(self, number: int) -> dict[str, Any]:
        return {"group": GROUP, "log": self.log, "topic": TOPIC, "partition": number}


_MOVE = sa.text("""
    INSERT INTO offsets (group_id, log, topic, partition, next)
    VALUES (:group, :log, :topic, :partition, :next)
    ON CONFLICT (group_id, log, topic, partition) DO UPDATE SET next = excluded.next
""")


async def finish(judge: Judge, turns: int = 3) -> None:
    """Take turns until nothing is left to judge."""
    for _ in range(turns):
        while await judge.turn():
            pass


@asynccontextmanager
async def judging(judge: Judge) -> AsyncIterator[Judge]:
    """A judge that lets go of its place at the end."""
    try:
        yield judge
    finally:
        await judge.abdicate()


def an_alert(**changed: Any) -> Alert:
    """The alert of contracts, section 7; what is not named is what stands there."""
    began = datetime(2026, 3, 2, 10, tzinfo=UTC)
    segment = {"region": "EU", "product": "shoes"}
    usual: dict[str, Any] = {
        "id": "a-1",
        "state": State.OPEN,
        "revision": 1,
        "severity": Severity.CRITICAL,
        "metric": "nps",
        "survey": "post-delivery",
        "segment": segment,
        "began_at": began,
        "opened_at": began + timedelta(hours=1),
        "raised_at": began + timedelta(hours=1),
        "updated_at": began + timedelta(hours=1),
        "n": 84,
        "detractors": 28,
        "detractor_rate": Rates(baseline=0.14, current=0.33, interval=(0.24, 0.44)),
        "rise": Rise(points=19.0, interval=(9.0, 29.0)),
        "hurt_per_hour": 16.0,
        "evidence": Evidence(e_value=5230.0, false_alarms_per_week=1.0),
        "explains": 0.87,
        "slices": (Slice(segment=segment, share=0.87),),
        "top_reasons": (ReasonShare(reason="delivery-late", share=0.61, change=0.4),),
        "sample_comments": ("It came too late.",),
    }
    return Alert(**(usual | changed))
