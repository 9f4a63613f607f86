"""Everything that ingest takes, one request at a time, and per id what became of it."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import httpx
import msgspec

from shared.events import Topic
from shared.stream.kafka import read_all
from shared.stream.records import KafkaUnavailable, Record
from shared.tokens import Tokens
from tests.support.fleet import READY_S, Fleet
from tests.support.load import body_of

TOKEN_KEY = "a-key-of-the-fault-tests"
SURVEY = "post-call"
FIRST_OF_BATCHES = 45_000  # answers below it are posted alone
SIZE = 10
_EXPIRES = datetime(2199, 1, 1, tzinfo=UTC)
_TAKEN = (202, 207, 303)


class Door(StrEnum):
    ANSWER = "answer"
    BATCH = "batch"
    PAGE = "page"
    EVENT = "event"


@dataclass(frozen=True)
class Parcel:
    """One request, and the ids that a reply acknowledges."""

    door: Door
    ids: tuple[str, ...]
    path: str
    content: dict[str, Any]


@dataclass(frozen=True)
class Heard:
    """What one request heard: a status, or the name of what httpx raised."""

    door: Door
    at: float
    took_s: float
    said: str
    headers: httpx.Headers

    @property
    def taken(self) -> bool:
        return self.said in map(str, _TAKEN)

    @property
    def sent(self) -> bool:
        """Whether anybody listened."""
        return self.said not in ("ConnectError", "ConnectTimeout")

    @property
    def honest(self) -> bool:
        """Taken, or a 503 that says when to come again, in the form of its door."""
        kind = "text/html" if self.door is Door.PAGE else "application/problem+json"
        put_off = self.said == "503" and self.headers.get("retry-after", "").isdigit()
        return self.taken or (put_off and self.headers.get("content-type", "").startswith(kind))


def parcel_of(door: Door, number: int, tokens: Tokens) -> Parcel:
    if door is Door.ANSWER:
        return Parcel(door, (f"r-{number}",), "/v1/responses", {"json": body_of(number)})
    if door is Door.BATCH:
        first = FIRST_OF_BATCHES + number * SIZE
        bodies = [body_of(n) for n in range(first, first + SIZE)]
        ids = tuple(body["id"] for body in bodies)
        return Parcel(door, ids, "/v1/responses/batch", {"json": bodies})
    if door is Door.PAGE:
        token = tokens.survey(f"i-{number}", SURVEY, "en", _EXPIRES)
        return Parcel(door, (f"i-{number}",), f"/s/{token}", {"data": {"score": number % 5 + 1}})
    return Parcel(door, (f"e-{number}",), "/v1/events", {"json": _event(number)})


def _event(number: int) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": f"e-{number}", "source": "/faults",
        "type": "transaction.completed", "time": "2026-03-01T10:00:00Z",
        "data": {"customer": {"id": f"c-{number}"}, "transaction": {"id": f"t-{number}"}},
    }  # fmt: skip


@dataclass
class Doors:
    """Senders that each repeat what was not taken, as emitters do, until `stop`."""

    http: httpx.AsyncClient
    url: str
    doors: Sequence[Door] = tuple(Door)
    acked: dict[Door, set[str]] = field(default_factory=lambda: defaultdict(set))
    tried: dict[Door, set[str]] = field(default_factory=lambda: defaultdict(set))
    heard: list[Heard] = field(default_factory=list)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    _tokens: Tokens = field(default_factory=lambda: Tokens([TOKEN_KEY]))
    _next: Counter[Door] = field(default_factory=Counter)

    async def run(self, senders: int = 8, *, pause_s: float = 0.0, again_s: float = 0.05) -> None:
        await asyncio.gather(*(self._send(n, pause_s, again_s) for n in range(senders)))

    async def _send(self, sender: int, pause_s: float, again_s: float) -> None:
        door = self.doors[sender % len(self.doors)]
        while not self.stop.is_set():
            parcel = parcel_of(door, self._next[door], self._tokens)
            self._next[door] += 1
            self.tried[door] |= set(parcel.ids)
            while not await self.post(parcel) and not self.stop.is_set():
                await asyncio.sleep(again_s)
            await asyncio.sleep(pause_s)

    async def post(self, parcel: Parcel) -> bool:
        """Send it once; whether it was acknowledged."""
        began = time.monotonic()
        headers, refused = httpx.Headers(), set[str]()
        try:
            reply = await self.http.post(f"{self.url}{parcel.path}", **parcel.content)
            said, headers = str(reply.status_code), reply.headers
            if reply.status_code == httpx.codes.MULTI_STATUS:
                items = reply.json()["items"]
                refused = {item["id"] for item in items if item["status"] != "accepted"}
        except httpx.HTTPError as error:
            said = type(error).__name__
        heard = Heard(parcel.door, began, time.monotonic() - began, said, headers)
        self.heard.append(heard)
        if heard.taken:
            self.acked[parcel.door] |= set(parcel.ids) - refused
        return heard.taken

    @property
    def said(self) -> Counter[str]:
        return Counter(heard.said for heard in self.heard)

    @property
    def slowest_s(self) -> float:
        return max(heard.took_s for heard in self.heard)


@dataclass(frozen=True)
class Found:
    """How often each id is on its topic."""

    times: Counter[str]
    wanted: Collection[str]

    @property
    def missing(self) -> set[str]:
        return set(self.wanted) - self.times.keys()

    @property
    def repeated(self) -> int:
        """Records beyond the first of their id."""
        return self.times.total() - len(self.times)

    def __str__(self) -> str:
        return (
            f"{len(self.wanted)} acknowledged, {len(self.missing)} missing on the topics, "
            f"{self.repeated} written more than once"
        )


async def found(fleet: Fleet, doors: Doors) -> Found:
    """Read the topics that ingest writes, all of what they hold."""
    times: Counter[str] = Counter()
    for topic in (Topic.SURVEY_RESPONSES, Topic.TRANSACTIONS):
        for record in await _read(fleet, topic):
            times[msgspec.json.decode(record.value or b"")["id"]] += 1
    return Found(times, set().union(*doors.acked.values()))


async def _read(fleet: Fleet, topic: str) -> list[Record]:
    """However long a broker that was killed takes on a machine that does much else."""
    async with asyncio.timeout(READY_S):
        while True:
            with suppress(KafkaUnavailable):
                return await read_all(fleet.ground.kafka.bootstrap, f"{fleet.prefix}{topic}")
            await asyncio.sleep(0.2)


def numbers_of(ids: Iterable[str]) -> set[int]:
    """The numbers of answers by their ids, for `tally`."""
    return {int(name.removeprefix("r-")) for name in ids}
