"""PostgreSQL: engines whose every wait is bounded, and migrations."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

MIGRATIONS: Final = Path(__file__).resolve().parents[1] / "migrations"
SCHEMAS: Final = ("scoring", "trigger", "alerts")
_CONNECT_S: Final = 5.0
_OLDEST: Final = 180_000


class WrongDatabase(Exception):
    """The server cannot be used; the text says why."""


def async_url(url: str) -> sa.URL:
    """The URL with the driver that we use, whichever its writer named."""
    return make_url(url).set(drivername="postgresql+asyncpg")


@asynccontextmanager
async def open_engine(
    url: str, *, schema: str, pool_size: int = 8, statement_s: float = 30.0
) -> AsyncIterator[AsyncEngine]:
    """Yield an engine whose connections see `schema` and give up in time.

    A statement ends after `statement_s` seconds, a transaction left idle after the same, so that a
    stopped owner does not hold everybody's rows.
    """
    milliseconds = str(int(statement_s * 1000))
    engine = create_async_engine(
        async_url(url),
        pool_size=pool_size,
        max_overflow=4,
        pool_timeout=10,
        pool_pre_ping=False,
        hide_parameters=True,  # values are customers', and errors go to logs
        connect_args={
            "timeout": _CONNECT_S,
            "command_timeout": statement_s + 5,
            "server_settings": {
                "search_path": schema,
                "application_name": f"earshot-{schema}",
                "statement_timeout": milliseconds,
                "idle_in_transaction_session_timeout": milliseconds,
                "lock_timeout": milliseconds,
                "timezone": "UTC",
                "jit": "off",
            },
        },
    )
    try:
        yield engine
    finally:
        await engine.dispose()


async def database_fault(engine: AsyncEngine) -> str | None:
    """Why the database cannot be used now, or None."""
    try:
        async with engine.connect() as connection:
            number = (await connection.execute(sa.text("SHOW server_version_num"))).scalar_one()
    except (sa.exc.SQLAlchemyError, OSError, TimeoutError) as error:
        return f"{type(error).__name__}"
    if int(number) < _OLDEST:
        return f"PostgreSQL 18 or newer is needed, this is {int(number) // 10000}"
    return None


def database_check(engine: AsyncEngine) -> Callable[[], Awaitable[str | None]]:
    """A part of `/readyz`: why the database cannot be used now."""

    async def check() -> str | None:
        return await database_fault(engine)

    return check


def migrate(url: str, service: str) -> None:
    """Bring the service's schema up to date; safe to run twice, also at the same time."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("version_locations", str(MIGRATIONS / service / "versions"))
    config.set_main_option("path_separator", "os")
    config.attributes["service"] = service
    config.attributes["url"] = async_url(url)
    command.upgrade(config, "head")
