"""The loop with a trivial handler on the database, and what can be asked of it."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from structlog.testing import capture_logs

from shared.db import open_engine
from shared.embedded.system import Embedded
from shared.errors import Reason, Refused
from shared.stream import (
    Decoded,
    Health,
    Offsets,
    Pipeline,
    Record,
    Source,
    StreamMetrics,
    consume,
)
from shared.stream.offsets import create_table
from shared.traces import UNTRACED, Traces
from tests.support.embedded import cloned_database
from tests.support.log import MemoryProducer, MemorySource

TOPIC = "survey-responses"


def decode(record: Record) -> str:
    """A word; `poison` is refused, `crash` is a bug of the decoder."""
    word = (record.value or b"").decode(errors="strict")
    if word == "poison":
        raise Refused(Reason.BAD_JSON, "the value is not JSON")
    if word == "crash":
        raise KeyError(word)
    return word


async def write(items: Sequence[Decoded], connection: AsyncConnection) -> None:
    """Each word a row; `bug` raises, `bad` breaks a constraint, `refused` is refused late."""
    words = [item.value for item in items]
    if "bug" in words:
        raise ZeroDivisionError
    if "refused" in words:
        raise Refused(Reason.UNKNOWN_SURVEY, "survey is not known")
    await connection.execute(
        sa.text("INSERT INTO seen (word) SELECT * FROM unnest(CAST(:words AS text[]))"),
        {"words": words},
    )


async def make_tables(engine: AsyncEngine) -> None:
    """Make the tables, empty, whatever a test before left."""
    async with engine.begin() as connection:
        for table in ("offsets", "seen", "away"):
            await connection.execute(sa.text(f"DROP TABLE IF EXISTS {table}"))
        await connection.run_sync(
            lambda sync: create_table(Operations(MigrationContext.configure(sync)))
        )
        await connection.execute(
            sa.text("CREATE TABLE seen (word text, times int DEFAULT 1 CHECK (word <> 'bad'))")
        )


@pytest.fixture(scope="module")
def module_database_url(servers: Embedded) -> Iterator[str]:
    """An empty database for the module."""
    with cloned_database(servers.database_url, "template1") as url:
        yield url


@pytest.fixture
async def engine(module_database_url: str) -> AsyncIterator[AsyncEngine]:
    """The tables of the loop, empty."""
    async with open_engine(module_database_url, schema="public") as engine:
        await make_tables(engine)
        yield engine


class Rig:
    """The loop on a source and the database, and what can be asked of it."""

    def __init__(
        self, engine: AsyncEngine, topics: Sequence[str] = (TOPIC,), traces: Traces = UNTRACED
    ) -> None:
        self.traces = traces
        self.engine = engine
        self.registry = CollectorRegistry()
        self.metrics = StreamMetrics(self.registry)
        self.health = Health()
        self.source = MemorySource(Offsets(engine, group="test", log="log"), topics)
        self.producer = MemoryProducer()
        self.handle = write
        self.batches: list[int] = []
        self.woken = 0
        self.logs: Sequence[Mapping[str, Any]] = ()

    def pipeline(self) -> Pipeline:
        async def handle(items: Sequence[Decoded], connection: AsyncConnection) -> None:
            self.batches.append(len(items))
            await self.handle(items, connection)

        def woken() -> None:
            self.woken += 1

        topics = {home.topic for home in self.source.homes}
        return Pipeline(
            "test", self.engine, dict.fromkeys(topics, decode), handle, self.producer,
            self.metrics, woken, self.traces,
        )  # fmt: skip

    @asynccontextmanager
    async def running(self, source: Source | None = None) -> AsyncIterator[asyncio.Task[None]]:
        stop = asyncio.Event()
        looping = consume(source or self.source, self.pipeline(), stop, self.health)
        task = asyncio.create_task(looping)
        with capture_logs() as self.logs:
            try:
                yield task
            finally:
                stop.set()
                await asyncio.wait_for(task, 10)

    async def words(self) -> list[str]:
        async with self.engine.connect() as connection:
            rows = await connection.execute(sa.text("SELECT word FROM seen"))
            return sorted(word for (word,) in rows)

    async def execute(self, statement: str) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(sa.text(statement))

    async def until(self, count: int, within_s: float = 15.0) -> list[str]:
        await eventually(lambda: self._has(count), within_s)
        return await self.words()

    async def _has(self, count: int) -> bool:
        return len(await self.words()) >= count

    def letters(self) -> list[tuple[str, bytes | None]]:
        """Reason and value of each dead letter."""
        return [
            ((dict(letter.headers)["earshot-reason"] or b"").decode(), letter.value)
            for letter in self.producer.sent
        ]

    def counted(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"earshot_consumer_{name}", labels) or 0.0

    def outcomes(self) -> dict[str, float]:
        found: dict[str, float] = defaultdict(float)
        for metric in self.metrics.records.collect():
            for sample in metric.samples:
                if sample.name.endswith("_total"):
                    found[sample.labels["outcome"]] += sample.value
        return dict(found)


async def eventually(holds: Callable[[], object], within_s: float = 15.0) -> None:
    """Return once `holds()` is true, whether it is to be awaited or not."""
    async with asyncio.timeout(within_s):
        while True:
            found = holds()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.01)
