"""Answers that keep coming while questions are asked, through the consumer's handler."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.queries.drawing import Sizes
from benchmarks.scoring.answers import Dropped
from services.scoring.consumer import build_decoders, build_handler
from services.scoring.store import Book
from shared.events import Answers, SurveyResponse, Topic
from shared.stream.records import Decoded, Record
from shared.wire import encode

_BATCHES = 10  # a second
_DECODE = build_decoders(())[Topic.SURVEY_RESPONSES]


@dataclass
class Reached:
    """What was counted, and in how many seconds."""

    answers: int = 0
    seconds: float = 0.0

    @property
    def per_s(self) -> float:
        return self.answers / max(1e-9, self.seconds)


@asynccontextmanager
async def arriving(engine: AsyncEngine, sizes: Sizes, rate: int) -> AsyncIterator[Reached]:
    """`rate` answers a second until the end, every tenth of a second a batch; its errors pass on.

    What it reached stands in what is yielded, at the end.
    """
    handle = build_handler(Book(), Dropped(), lambda _: None, lambda: datetime.now(UTC))
    draw, reached = random.Random(4), Reached()

    async def bring() -> None:
        for number in count():
            began = time.monotonic()
            async with engine.begin() as connection:
                await handle(_batch(draw, sizes, rate // _BATCHES), connection)
            reached.answers += rate // _BATCHES
            await asyncio.sleep(max(0.0, (number and 1 / _BATCHES) - time.monotonic() + began))

    began, task = time.monotonic(), asyncio.create_task(bring())
    try:
        yield reached
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        reached.seconds = time.monotonic() - began


def _batch(draw: random.Random, sizes: Sizes, size: int) -> Sequence[Decoded]:
    now, found = datetime.now(UTC), []
    for offset in range(size):
        key = f"live-{draw.getrandbits(80):020x}"
        answer = SurveyResponse(
            id=key,
            submission_id=key,
            survey="survey 1",
            metric="nps",
            scale=(0, 10),
            segments={name: f"{name} {draw.randrange(n)}" for name, n in sizes.items()},
            answers=Answers(score=draw.randint(0, 10), reasons=()),
            answered_at=now,
            received_at=now,
        )
        record = Record(Topic.SURVEY_RESPONSES, 0, offset, key.encode(), encode(answer), (), 0)
        found.append(Decoded(record, _DECODE(record)))
    return found
