"""One embedded PostgreSQL and one mock Kafka for a whole test run, shared by all its workers."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
from sqlalchemy import make_url

from shared.db import SCHEMAS
from shared.embedded.postgres import Options
from shared.embedded.system import Embedded, start_blocking, stop_blocking
from shared.events import PARTITIONS, Topic
from shared.migrating import migrate

TEMPLATE = "earshot_template"
FAST = Options(durable=False, max_connections=200)


def start_for_tests(var: Path) -> Embedded:
    return start_blocking(var, dict.fromkeys(map(str, Topic), PARTITIONS), FAST)


def stop_for_tests(var: Path) -> None:
    stop_blocking(var)


async def execute(url: str, *statements: str) -> None:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain, timeout=10)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def drop(url: str, name: str) -> None:
    """PostgreSQL refuses for as long as its own autovacuum is at work there."""
    async with asyncio.timeout(60):
        while True:
            try:
                await execute(url, f'DROP DATABASE "{name}" WITH (FORCE)')
            except (asyncpg.InsufficientPrivilegeError, asyncpg.ObjectInUseError):
                await asyncio.sleep(0.2)
            else:
                return


def named(url: str, database: str) -> str:
    return make_url(url).set(database=database).render_as_string(hide_password=False)


def build_template(url: str) -> None:
    """Migrate every service once; each test database is a clone of it."""
    asyncio.run(execute(url, f'CREATE DATABASE "{TEMPLATE}"'))
    for service in SCHEMAS:
        migrate(named(url, TEMPLATE), service)


@contextmanager
def cloned_database(url: str, template: str = TEMPLATE) -> Iterator[str]:
    name = f"test_{secrets.token_hex(6)}"
    # files copied as they are: a quarter of what it takes through the log
    asyncio.run(execute(url, f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy'))
    try:
        yield named(url, name)
    finally:
        asyncio.run(drop(url, name))
