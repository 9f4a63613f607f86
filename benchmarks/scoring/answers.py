"""What the scoring benchmark is fed: made-up answers; a source and a producer without a broker."""

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from shared.events import Answers, SurveyResponse, Topic
from shared.stream import Outgoing, Record
from shared.stream.offsets import Offsets
from shared.stream.records import Partition
from shared.wire import encode

DIMENSIONS = tuple(f"d{number}" for number in range(8))
POLL = 2_000


class Dropped:
    """A producer whose broker is a waste-paper basket."""

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Forget them."""


class Memory:
    """A source that has fetched everything already."""

    placed = True

    def __init__(
        self,
        records: Sequence[Record],
        offsets: Offsets,
        stop: asyncio.Event,
        at_once: int = POLL,
    ) -> None:
        starts = range(0, len(records), at_once)
        polls = (records[first : first + at_once] for first in starts)
        self._polls = map(list, polls)
        self._stop = stop
        self.offsets = offsets
        self.next_of: dict[Partition, int] = {}
        self.newest_ms = 0

    async def poll(self, wait_s: float, *, ahead: bool = False) -> list[Record]:
        records = next(self._polls, [])
        if not records:
            self._stop.set()
        return records

    async def idle(self, wait_s: float) -> None:
        raise RuntimeError(f"a benchmark has no weather, not even for {wait_s} s")

    def commit_best_effort(self) -> None: ...

    def lag(self) -> dict[Partition, int]:
        return {}

    def pause_topic(self, topic: str) -> None: ...

    def resume_topic(self, topic: str) -> None: ...

    def replace(self, home: Partition) -> None:
        raise RuntimeError(f"{home} has another owner")

    def rewind(self, home: Partition) -> None:
        raise RuntimeError(f"{home} is poison")


def made_up(count: int, values: int, hours: int) -> list[Outgoing]:
    """Answers, the same at each run."""
    draw = random.Random(7)
    start = datetime(2026, 11, 21, 10, tzinfo=UTC)
    records = []
    for number in range(count):
        at = start + timedelta(seconds=draw.random() * 3600 * hours)
        key = f"r-{draw.getrandbits(80):020x}"
        response = SurveyResponse(
            id=key,
            submission_id=key,
            survey="post-delivery",
            metric="nps",
            scale=(0, 10),
            customer_id=f"c-{draw.randrange(100_000)}",
            segments={name: f"value {int(values * draw.random())}" for name in DIMENSIONS},
            answers=Answers(
                score=draw.choices(range(11), (1, 1, 1, 1, 1, 2, 2, 4, 5, 8, 9))[0],
                reasons=("delivery-late",) if number % 3 else (),
                comment="It came two days late, and nobody said so." if number % 4 == 0 else None,
            ),
            language="en",
            channel="web",
            answered_at=at,
            received_at=at + timedelta(seconds=1),
        )
        records.append(Outgoing(Topic.SURVEY_RESPONSES, key.encode(), encode(response)))
    return records
