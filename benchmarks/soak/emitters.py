"""What comes in: answers and calls, each sent until it is acknowledged, as emitters do."""

import asyncio
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.support.calls import call_of

QUEUES, REGIONS = 20, 5
BAD_QUEUE = "q07"
USUAL, BAD = 0.12, 0.55  # detractors among the answers of a queue
BATCH = 50
CALLS_PER_ANSWER = 0.04
AGAIN_S = 0.2
TRIED, ACKED = 1, 2
HISTORY, APART = timedelta(days=14), timedelta(seconds=40)

Body = Callable[[int], dict[str, Any]]


@dataclass
class Answers:
    """Makes answers; while `bad` is set, one queue's customers are unhappy.

    While `past` is set they are of the last two weeks: alerts needs to know what is usual.
    """

    luck: random.Random
    bad: bool = False
    past: bool = True
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self, number: int) -> dict[str, Any]:
        queue = f"q{number % QUEUES:02}"
        detractors = BAD if self.bad and queue == BAD_QUEUE else USUAL
        unhappy = self.luck.random() < detractors
        return {
            "id": f"r-{number}",
            "metric": "nps",
            "segments": {"queue": queue, "region": f"g{self.luck.randrange(REGIONS)}"},
            "answers": {"score": self.luck.randrange(0, 7) if unhappy else 10},
            "answered_at": self._moment(number).isoformat(),
        }

    def _moment(self, number: int) -> datetime:
        if not self.past:
            return datetime.now(UTC)
        return min(self.began - HISTORY + number * APART, self.began - APART)


@dataclass
class Emitter:
    """Sends one kind of thing by several hands. `flags` has a byte per number."""

    http: httpx.AsyncClient
    urls: Sequence[str]
    path: str
    body: Body
    media: str = "application/json"
    flags: bytearray = field(default_factory=bytearray)
    faults: Counter[str] = field(default_factory=Counter)
    acked: int = 0
    slowest_s: float = 0.0

    async def run(self, may_send: Callable[[int], bool], stop: asyncio.Event, hands: int) -> None:
        """Send while `may_send`, told how many were begun, allows it; end what is begun."""
        async with asyncio.TaskGroup() as group:
            for _ in range(hands):
                group.create_task(self._hand(may_send, stop))

    async def _hand(self, may_send: Callable[[int], bool], stop: asyncio.Event) -> None:
        while not stop.is_set():
            if not may_send(len(self.flags)):
                await asyncio.sleep(0.01)
                continue
            first = len(self.flags)
            numbers = range(first, first + BATCH)
            self.flags += bytes([TRIED]) * BATCH
            content = json.dumps([self.body(number) for number in numbers])
            for turn in itertools.count(first // BATCH):
                if await self._post(self.urls[turn % len(self.urls)], content):
                    break
                await asyncio.sleep(AGAIN_S)
            self.flags[first : numbers.stop] = bytes([TRIED | ACKED]) * BATCH
            self.acked += BATCH

    async def _post(self, url: str, content: str) -> bool:
        began = time.monotonic()
        try:
            reply = await self.http.post(
                f"{url}{self.path}", content=content, headers={"content-type": self.media}
            )
        except httpx.HTTPError as error:
            self.faults[type(error).__name__] += 1
            return False
        finally:
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        if reply.status_code != httpx.codes.MULTI_STATUS:
            self.faults[str(reply.status_code)] += 1
            return False
        refused = [i for i in reply.json()["items"] if i["status"] != "accepted"]
        self.faults.update(str(item["error"]["status"]) for item in refused)
        return not refused


@dataclass(frozen=True)
class Traffic:
    """Both kinds: about four calls to a hundred answers."""

    answers: Emitter
    calls: Emitter
    made: Answers

    async def run(self, may_send: Callable[[int], bool], stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.answers.run(may_send, stop, hands=8))
            group.create_task(self.calls.run(self._calls_due, stop, hands=2))

    def _calls_due(self, begun: int) -> bool:
        return begun < CALLS_PER_ANSWER * len(self.answers.flags)


def build_traffic(http: httpx.AsyncClient, urls: Sequence[str], luck: random.Random) -> Traffic:
    made = Answers(luck)
    return Traffic(
        Emitter(http, urls, "/v1/responses/batch", made),
        Emitter(http, urls, "/v1/events", call_of, "application/cloudevents-batch+json"),
        made,
    )


def at_rate(per_s: float, already: int) -> Callable[[int], bool]:
    """So many a second from now on; what an outage held up is made good."""
    began = time.monotonic()
    return lambda begun: begun - already < per_s * (time.monotonic() - began)
