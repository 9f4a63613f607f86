"""Answers of which each is counted in a cell of its own, sent as an emitter would.

Answer `n` has the segment `probe` and the score that only it has (up to 99,000 answers), so that
scoring's counts say per id whether it was lost or counted twice.
"""

import asyncio
import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from shared.events import Answers, SurveyResponse, Topic
from shared.stream import Broker, Outgoing
from shared.stream.kafka import open_producer
from shared.wire import encode
from tests.support.folders import SHIPPED, without

PROBES = 9_000
POINTS = 11
QUEUES = 20
BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
SPREAD_S = 50 * 3600


def write_programme(folder: Path, dimensions: Sequence[str] = ("probe", "queue")) -> Path:
    """The default programme, counted by other dimensions, at any hour and without limits.

    Answers are taken to be independent: how alike they are is estimated now and then, and what
    is said would depend on when.
    """
    shutil.copytree(SHIPPED, folder)
    without(folder, "quiet_hours", "caps")
    lines = ["dimensions:", *(f"  {name}: {{}}" for name in dimensions)]
    lines += ["pairs: []", "clusters: []", ""]
    (folder / "segments.yaml").write_text("\n".join(lines))
    return folder


def answered_at(number: int) -> datetime:
    """Over two days, and not in the order of the numbers."""
    return BEGAN + timedelta(seconds=number * 7919 % SPREAD_S)


def segments_of(number: int) -> dict[str, str]:
    return {"probe": f"p{number % PROBES:04}", "queue": f"q{number % QUEUES:02}"}


def score_of(number: int) -> int:
    return number // PROBES % POINTS


def number_of(probe: str, score: int) -> int:
    """Which answer it is that counts in this cell."""
    return score * PROBES + int(probe[1:])


def body_of(number: int) -> dict[str, Any]:
    """As a kiosk posts it to ingest. Further numbers would share cells with the first."""
    assert number < PROBES * POINTS
    return {
        "id": f"r-{number}",
        "metric": "nps",
        "segments": segments_of(number),
        "answers": {"score": score_of(number)},
        "answered_at": answered_at(number).isoformat(),
    }


def record_of(number: int) -> Outgoing:
    """As ingest writes it to Kafka."""
    response = SurveyResponse(
        id=f"r-{number}", submission_id=f"s-{number}", metric="nps", scale=(0, 10),
        segments=segments_of(number), answers=Answers(score=score_of(number)),
        answered_at=answered_at(number), received_at=answered_at(number),
    )  # fmt: skip
    return Outgoing(Topic.SURVEY_RESPONSES, f"r-{number}".encode(), encode(response))


@dataclass(frozen=True)
class Posting:
    """What is posted of a number, and where."""

    path: str
    body: Callable[[int], dict[str, Any]]
    media: str = "application/json"


ANSWERS = Posting("/v1/responses/batch", body_of)


async def feed(broker: Broker, numbers: Iterable[int], *, chunk: int = 500) -> None:
    """Write answers to Kafka directly; all are acknowledged when this returns."""
    waiting = [record_of(number) for number in numbers]
    async with open_producer(broker) as producer:
        for first in range(0, len(waiting), chunk):
            await producer.send(waiting[first : first + chunk])


@dataclass
class Load:
    """Posts answers in batches to one of several ingests, and notes what became of each.

    `acked` were acknowledged; a batch without a reply is sent again, as emitters do, when
    `again`. `slowest_s` is the longest that any request took, `faults` what came instead of 207.
    """

    http: httpx.AsyncClient
    urls: Sequence[str]
    size: int = 50
    again: bool = True
    posting: Posting = ANSWERS
    acked: set[int] = field(default_factory=set)
    tried: set[int] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    _next: int = 0

    async def run(self, *, senders: int = 4, total: int = 90_000, pause_s: float = 0.0) -> None:
        """Send until `stop` is set. Raise where all were sent before: nobody is under load then."""
        await asyncio.gather(*(self._send(total, pause_s) for _ in range(senders)))

    async def _send(self, total: int, pause_s: float) -> None:
        while not self.stop.is_set() and self._next < total:
            numbers = range(self._next, min(self._next + self.size, total))
            self._next = numbers.stop
            self.tried.update(numbers)
            while not await self._post(numbers) and self.again and not self.stop.is_set():
                await asyncio.sleep(0.1)
            await asyncio.sleep(pause_s)
        assert self.stop.is_set(), f"all {total} were sent before the load was to end"

    async def _post(self, numbers: Sequence[int]) -> bool:
        url = self.urls[numbers[0] // self.size % len(self.urls)]
        began = asyncio.get_running_loop().time()
        try:
            reply = await self.http.post(
                f"{url}{self.posting.path}",
                content=json.dumps([self.posting.body(number) for number in numbers]),
                headers={"content-type": self.posting.media},
            )
        except httpx.HTTPError as error:
            self.faults.append(type(error).__name__)
            return False
        finally:
            took = asyncio.get_running_loop().time() - began
            self.slowest_s = max(self.slowest_s, took)
        if reply.status_code != httpx.codes.MULTI_STATUS:
            self.faults.append(str(reply.status_code))
            return False
        items = reply.json()["items"]
        self.acked |= {numbers[i["index"]] for i in items if i["status"] == "accepted"}
        rejected = [item for item in items if item["status"] != "accepted"]
        self.faults += [str(item["error"]["status"]) for item in rejected]
        return not rejected
