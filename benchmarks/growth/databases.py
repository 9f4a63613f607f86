"""A database for each measurement: all tables, nothing in them, gone afterwards."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Final

import asyncpg
from sqlalchemy import make_url

_PATIENCE_S: Final = 60.0
_ANSWER_BYTES: Final = "SELECT pg_table_size('answers'), pg_indexes_size('answers')"


class Databases:
    """Copies of the one that the servers began with; `url` names it."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql")
        self._numbers = count(1)

    @asynccontextmanager
    async def fresh(self) -> AsyncIterator[str]:
        """The address of a new one."""
        name = f"growth_{next(self._numbers)}"
        await self._say(f"CREATE DATABASE {name} TEMPLATE {self._url.database}")
        try:
            yield self._url.set(database=name).render_as_string(hide_password=False)
        finally:
            await self._drop(name)

    async def _drop(self, name: str) -> None:
        """PostgreSQL refuses for as long as its own autovacuum is at work there."""
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                try:
                    await self._say(f"DROP DATABASE {name} WITH (FORCE)")
                except (asyncpg.InsufficientPrivilegeError, asyncpg.ObjectInUseError):
                    await asyncio.sleep(0.2)
                else:
                    return

    async def _say(self, statement: str) -> None:
        maintenance = self._url.set(database="postgres")
        connection = await asyncpg.connect(maintenance.render_as_string(hide_password=False))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@asynccontextmanager
async def connected(url: str, schema: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection beside those of the service; its statements may take their time."""
    connection = await asyncpg.connect(url, server_settings={"search_path": schema})
    try:
        yield connection
    finally:
        await connection.close()


async def answer_bytes(connection: asyncpg.Connection) -> tuple[int, int]:
    """What the stored answers take: the table with what it keeps apart, and its indexes."""
    table, indexes = await connection.fetchrow(_ANSWER_BYTES)
    return int(table), int(indexes)
