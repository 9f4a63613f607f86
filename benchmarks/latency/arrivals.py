"""When each came out at the end: its mail in the folder, its place in the score that is shown."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import msgspec
import numpy as np

from benchmarks.latency.contents import answer_id, get, mail_id
from benchmarks.latency.deployed import Deployed
from benchmarks.latency.doors import Doors
from benchmarks.latency.sending import Sent
from shared.events import Topic
from shared.stream.kafka import read_all
from shared.stream.records import Record

ASKED_EVERY_S: Final = 0.02
HISTORY: Final = "r-"  # what scoring never counted begins so
_SCORES: Final = get("/v1/scores?metric=nps&window=24h")


@dataclass
class Shown:
    """What the score API said, and when that reached who asked."""

    at: list[float] = field(default_factory=list)
    n: list[int] = field(default_factory=list)


class _Group(msgspec.Struct):
    n: int


class _Page(msgspec.Struct):
    groups: list[_Group]


@asynccontextmanager
async def asking(stage: Deployed, shown: Shown) -> AsyncIterator[None]:
    """Ask for the score fifty times a second, as an impatient dashboard."""
    doors = Doors(stage.replicas["scoring"].port)
    task = asyncio.create_task(_ask(doors, shown))
    try:
        yield
    finally:
        task.cancel()
        doors.close()


async def _ask(doors: Doors, shown: Shown) -> None:
    due = time.time()
    while True:
        reply = await doors.asked(_SCORES)
        groups = msgspec.json.decode(reply.partition(b"\r\n\r\n")[2], type=_Page).groups
        shown.at.append(time.time())
        shown.n.append(groups[0].n if groups else 0)
        due = max(due + ASKED_EVERY_S, time.time())
        await asyncio.sleep(due - time.time())


class Scored(msgspec.Struct):
    """What is read of a scored response; `appended` is when the broker took it."""

    id: str
    received_at: datetime
    scored_at: datetime
    appended: float = 0.0


class Asked(msgspec.Struct):
    """The event that a decision is about."""

    id: str


class Decided(msgspec.Struct):
    """What is read of a decision."""

    event: Asked
    decided_at: datetime


async def read_scored(stage: Deployed) -> Mapping[str, Scored]:
    """All that scoring told, in the order in which it was committed.

    One replica settles one batch after the other, and all of a batch are scored at one instant.
    """
    found = {}
    for record in await _records(stage, Topic.SCORED_RESPONSES):
        one = msgspec.json.decode(record.value or b"{}", type=Scored)
        one.appended = record.timestamp_ms / 1000
        found[one.id] = one
    ours = [one for one in found.values() if not one.id.startswith(HISTORY)]
    return {one.id: one for one in sorted(ours, key=lambda one: one.scored_at)}


async def read_decided(stage: Deployed) -> Mapping[str, float]:
    """When trigger decided on each event, by the event's id."""
    records = await _records(stage, Topic.SURVEY_DECISIONS)
    decided = [msgspec.json.decode(record.value or b"{}", type=Decided) for record in records]
    return {one.event.id: one.decided_at.timestamp() for one in decided}


async def _records(stage: Deployed, topic: str) -> Sequence[Record]:
    return await read_all(stage.fleet.ground.kafka.bootstrap, f"{stage.fleet.prefix}{topic}")


def counted(sent: Sent, scored: Mapping[str, Scored], shown: Shown) -> np.ndarray:
    """When the score first showed each answer; NaN where nobody asked after it did.

    An answer is shown once n is as large as the number of all answers up to the end of its batch.
    """
    batches = np.array([one.scored_at.timestamp() for one in scored.values()])
    needed = np.searchsorted(batches, batches, side="right")
    needed_of = dict(zip(scored, needed.tolist(), strict=True))
    at, n = np.array([*shown.at, np.nan]), np.array(shown.n)
    wanted = [needed_of.get(answer_id(number), 0) for number in sent.numbers]
    seen: np.ndarray = at[np.searchsorted(n, np.array(wanted), side="left")]
    seen[np.array(wanted) == 0] = np.nan
    return seen


def mailed(stage: Deployed, sent: Sent) -> np.ndarray:
    """When each event's mail was whole under its name; NaN where there is none."""
    return np.array([_written(stage, number) for number in sent.numbers])


def _written(stage: Deployed, number: int) -> float:
    try:
        return (stage.mails / f"{mail_id(number)}.eml").stat().st_ctime
    except FileNotFoundError:
        return float("nan")
