"""Memory of each service's process: ready and idle, and after many answers and events."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final

import httpx
import msgspec

from benchmarks.deciding.events import Kind
from benchmarks.deciding.events import made_up as made_up_events
from benchmarks.figures import Cell, Figures, Table
from benchmarks.growth.databases import connected
from benchmarks.growth.deployment import SERVICES, Started, started
from benchmarks.growth.growing import Place
from shared.events import Topic

_ANSWERS, _EVENTS, _BATCH = 100_000, 20_000, 1_000
_LOOK_S: Final = 0.2
_REST_S: Final = 3.0  # caches that are loaded beside the work are there by then
_LONGEST_S: Final = 180.0
_KIND: Final = Kind(0.1, 10_000)
_SETTLED: Final = "SELECT coalesce(sum(next), 0) FROM offsets WHERE topic = ANY($1)"
_HEAD = (
    "service",
    "at rest, MB",
    "of it its own (PSS), MB",
    "after the answers, MB",
    "of it its own (PSS), MB",
    "x at rest",
)


@dataclass(frozen=True)
class Held:
    """Bytes of one process: all that is resident, and its share of what others map as well."""

    rss: int
    pss: int


async def memory(place: Place, figures: Figures) -> None:
    """One table: the four services of one deployment."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(place.databases.fresh())
        services = [
            await stack.enter_async_context(started(place, url, service)) for service in SERVICES
        ]
        await asyncio.sleep(_REST_S)
        before = [_held(one) for one in services]
        await _send(place, services[0].url)
        answers, events = place.part_of(_ANSWERS, _BATCH), place.part_of(_EVENTS, _BATCH)
        await _settle(url, answers, events)
        await asyncio.sleep(_REST_S)
        after = [_held(one) for one in services]
    rows: list[Sequence[Cell]] = [
        (service, *(size / 1e6 for size in (b.rss, b.pss, a.rss, a.pss)), a.rss / b.rss)
        for service, b, a in zip(SERVICES, before, after, strict=True)
    ]
    title = f"Memory, before and after {answers:,} answers and {events:,} events"
    figures.add(Table("memory", title, _HEAD, rows))


def _held(one: Started) -> Held:
    found = one.process.memory_full_info()
    return Held(found.rss, found.pss)


async def _send(place: Place, url: str) -> None:
    """Through ingest, as everybody does."""
    answers, events = place.part_of(_ANSWERS, _BATCH), place.part_of(_EVENTS, _BATCH)
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as http:
        for first in range(0, answers, _BATCH):
            made = [_answer(number) for number in range(first, first + _BATCH)]
            await _post(http, "/v1/responses/batch", made, "application/json")
        for first in range(0, events, _BATCH):
            records = made_up_events(_KIND, range(first, first + _BATCH))
            made = [msgspec.json.decode(one.value or b"") for one in records]
            await _post(http, "/v1/events", made, "application/cloudevents-batch+json")


async def _post(
    http: httpx.AsyncClient, path: str, made: Sequence[dict[str, Any]], kind: str
) -> None:
    content = msgspec.json.encode(made)
    reply = await http.post(path, content=content, headers={"content-type": kind})
    if reply.status_code != httpx.codes.MULTI_STATUS or b'"rejected"' in reply.content:
        raise SystemExit(f"ingest {path}: {reply.status_code} {reply.text[:300]}")


def _answer(number: int) -> dict[str, Any]:
    segments = {"region": f"region {number % 9}", "product": f"product {number % 18}"}
    return {
        "id": f"growth-{number}",
        "metric": "nps",
        "answers": {"score": number % 11},
        "segments": segments,
    }


async def _settle(url: str, answers: int, events: int) -> None:
    """Return once scoring, alerts and trigger have taken it all."""
    wanted = {
        "scoring": ([Topic.SURVEY_RESPONSES], answers),
        "alerts": ([Topic.SCORED_RESPONSES], answers),
        "trigger": ([Topic.SUPPORT_CALLS, Topic.TRANSACTIONS], events),
    }
    async with asyncio.timeout(_LONGEST_S), AsyncExitStack() as stack:
        for service, (topics, records) in wanted.items():
            connection = await stack.enter_async_context(connected(url, service))
            while await connection.fetchval(_SETTLED, topics) < records:  # noqa: ASYNC110 - of others
                await asyncio.sleep(_LOOK_S)
