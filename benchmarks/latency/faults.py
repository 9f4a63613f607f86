"""A slice goes wrong while everybody else answers: how long until somebody is told."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import numpy as np

from benchmarks.latency.contents import post
from benchmarks.latency.deployed import Deployed, fault_survey
from benchmarks.latency.doors import Doors
from benchmarks.latency.sending import ACCEPTED
from shared.events import Topic
from shared.stream import Outgoing
from shared.stream.kafka import open_producer
from shared.wire import encode
from tests.support.alerts import scored

WRONG: Final = {"region": "EU", "product": "shoes"}
AT_ONCE: Final = 100
PACE: Final = 40.0
_PATIENCE_S: Final = 20.0
_CALM: Final = 600
_CALM_FOR: Final = timedelta(days=2)


@dataclass
class Told:
    """Seconds: `at_once` from the instant of all evidence; `last` from the last that counted.

    `answers` of the slice that came until the alert, where they came one by one; `hops` of those
    whose evidence came at once: acknowledged, raised, told, since its instant.
    """

    at_once: list[float] = field(default_factory=list)
    last: list[float] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    hops: list[tuple[float, float, float]] = field(default_factory=list)


class Heard(msgspec.Struct):
    """What is read of the alert that the receiver got."""

    survey: str
    change: str
    opened_at: datetime
    raised_at: datetime


async def write_history(stage: Deployed, surveys: int) -> None:
    """Two calm days of each survey, as scoring would have told them."""
    base, now = await stage.place("alerts", Topic.SCORED_RESPONSES), datetime.now(UTC)
    async with open_producer(stage.fleet.broker) as producer:
        for survey in range(surveys):
            await producer.send(list(_calm(survey, now)))
    async with asyncio.timeout(120):
        while True:
            counted = await stage.place("alerts", Topic.SCORED_RESPONSES) - base
            judged_to = await _judged_to(stage)
            if counted >= surveys * _CALM and judged_to and judged_to > now - timedelta(hours=2):
                return
            await asyncio.sleep(0.2)


async def _judged_to(stage: Deployed) -> datetime | None:
    found = (await stage.replicas["alerts"].get("/v1/alerts"))["judged_to"]
    return None if found is None else datetime.fromisoformat(found)


def _calm(survey: int, now: datetime) -> Iterator[Outgoing]:
    regions, products = ("EU", "US"), ("hats", "shoes")
    for number in range(_CALM):
        at = now - timedelta(hours=1) - _CALM_FOR * (1 - number // 10 / (_CALM / 10))
        one = scored(
            survey * _CALM + number, at, detractor=number % 10 == 0, survey=fault_survey(survey),
            segments={"region": regions[number % 2], "product": products[number // 2 % 2]},
        )  # fmt: skip
        yield Outgoing(Topic.SCORED_RESPONSES, one.id.encode(), encode(one))


async def go_wrong(stage: Deployed, surveys: range, until: asyncio.Future[Any]) -> Told:
    """One survey after the other, by turns at once and one by one, while the load goes on."""
    luck, told = np.random.default_rng(surveys.start), Told()
    doors = Doors(stage.replicas["ingest"].port)
    for survey in surveys:
        await asyncio.sleep(luck.uniform(0.2, 1.2))  # at any moment of the judge's turn
        if until.done():
            break
        if survey % 2:
            await _one_by_one(stage, doors, survey, luck, told)
        else:
            await _at_once(stage, doors, survey, told)
    doors.close()
    return told


async def _at_once(stage: Deployed, doors: Doors, survey: int, told: Told) -> None:
    began = time.time()
    bodies = [_wrong(survey, number, began) for number in range(AT_ONCE)]
    reply = await doors.asked(post("/v1/responses/batch", bodies))
    acked = time.time()
    _look_at(reply)
    alert, at = await _alert(stage, survey)
    told.at_once.append(at - began)
    told.hops.append((acked - began, alert.raised_at.timestamp() - began, at - began))


async def _one_by_one(
    stage: Deployed, doors: Doors, survey: int, luck: np.random.Generator, told: Told
) -> None:
    planned: list[float] = []
    replies: list[bytes] = []

    async def emit() -> None:
        due = time.time()
        while True:
            due += luck.exponential(1 / PACE)
            await asyncio.sleep(due - time.time())
            planned.append(due)
            body = _wrong(survey, len(planned), due)
            doors.ask(post("/v1/responses", body), replies.append)

    emitting = asyncio.create_task(emit())
    try:
        alert, at = await _alert(stage, survey)
    finally:
        emitting.cancel()
    for reply in replies:
        _look_at(reply)
    counted = [each for each in planned if each <= alert.opened_at.timestamp() + 1e-3]
    told.answers.append(len(counted))
    told.last.append(at - counted[-1])


def _look_at(reply: bytes) -> None:
    """An empty reply, one that is not 2xx or a rejected answer: raises SystemExit."""
    if not reply.startswith(ACCEPTED) or b'"rejected"' in reply:
        raise SystemExit(f"an answer was not acknowledged: {reply.decode()[:300] or 'no reply'}")


def _wrong(survey: int, number: int, at: float) -> dict[str, Any]:
    return {
        "id": f"wrong-{survey}-{number}",
        "survey": fault_survey(survey),
        "segments": WRONG,
        "answers": {"score": 2 if number % 4 else 9},
        "answered_at": datetime.fromtimestamp(at, UTC).isoformat(),
    }


async def _alert(stage: Deployed, survey: int) -> tuple[Heard, float]:
    """What was told of this survey first, and when it began to arrive."""
    receiver, seen = stage.receiver, 0
    async with asyncio.timeout(_PATIENCE_S):
        while True:
            for place in range(seen, len(receiver.got)):
                heard = msgspec.json.decode(receiver.got[place][2], type=Heard)
                if heard.survey == fault_survey(survey):
                    passed = asyncio.get_running_loop().time() - receiver.began[place]
                    return heard, time.time() - passed
            seen = len(receiver.got)
            await asyncio.sleep(0.005)
