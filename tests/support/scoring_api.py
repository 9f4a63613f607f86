"""Scoring's API on real PostgreSQL, filled with a made-up history."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring.api import Reading, build_routers
from services.scoring.consumer import build_decoders, build_handler
from services.scoring.domain.cells import VALUES_AT_MOST
from services.scoring.store import Book, adopt
from services.scoring.store.reader import Reader
from shared.db import open_engine
from shared.keys import KeyFile
from shared.metrics import Registry
from shared.stream.pipeline import Handle
from shared.stream.records import Decoded
from shared.web import Parts, build_web
from tests.support.schemas import check_reply
from tests.support.scoring import LAYOUT, START, record
from tests.support.scoring_history import history

NOW = START + timedelta(hours=8, minutes=21)
VALUES = history(1, ids=250)
DECODE = build_decoders(["touchpoint"])


class Nowhere:
    async def send(self, records: Any) -> None:
        """Kafka is not what is tested here."""


async def settle_by(
    handle: Handle, engine: AsyncEngine, values: Sequence[Any], *, abort: bool = False
) -> None:
    """Hand over one batch, in a transaction; take it back if `abort`."""
    records = [record(value, offset) for offset, value in enumerate(values)]
    items = [Decoded(one, DECODE[one.topic](one)) for one in records]
    async with engine.connect() as connection:
        await handle(items, connection)
        await (connection.rollback() if abort else connection.commit())


async def settle(engine: AsyncEngine, values: list[Any]) -> None:
    await settle_by(build_handler(Book(), Nowhere(), lambda _: None, lambda: START), engine, values)


def build_client(
    engine: AsyncEngine, now: datetime = NOW, values_at_most: int = VALUES_AT_MOST, **changes: Any
) -> tuple[httpx.AsyncClient, asyncio.Event]:
    closing = asyncio.Event()
    reader = Reader(engine, values_at_most)
    reading = Reading(reader, LAYOUT.paths, "Europe/Berlin", lambda: now, lambda: 0.25, **changes)
    web = build_web(
        "scoring",
        routers=build_routers(reading, closing),
        parts=Parts(),
        registry=Registry(),
        keys=KeyFile(None),
    )
    transport = httpx.ASGITransport(web)
    return httpx.AsyncClient(transport=transport, base_url="http://scoring"), closing


@asynccontextmanager
async def opened_client(
    url: str, now: datetime = NOW, **changes: Any
) -> AsyncIterator[httpx.AsyncClient]:
    async with open_engine(url, schema="scoring") as engine:
        client, _ = build_client(engine, now, **changes)
        async with client:
            yield client


def fill(url: str) -> None:
    """Count the whole history."""

    async def work() -> None:
        async with open_engine(url, schema="scoring") as engine:
            await adopt(engine, LAYOUT)
            await settle(engine, VALUES)

    asyncio.run(work())


async def get(client: httpx.AsyncClient, path: str, **query: Any) -> Any:
    names = {"from_": "from", "klass": "class"}
    query = {names.get(name, name): value for name, value in query.items()}
    reply = await client.get(path, params=query)
    assert reply.status_code == 200, reply.text
    check_reply(client, reply)
    return reply.json()
