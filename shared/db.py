"""PostgreSQL: engines whose every wait is bounded."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final
from weakref import WeakSet

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from shared.database_url import async_url, connect_arguments
from shared.metrics import PoolMetrics
from shared.settings import STATEMENT
from shared.tls import TlsFilesFault, tls_fault

SCHEMAS: Final = ("scoring", "trigger", "alerts")
# What a database raises that is away; asyncpg's own come as they are when it died in a statement.
AWAY: Final = (sa.exc.SQLAlchemyError, OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_CONNECT_S: Final = 5.0
_GRACE_S: Final = 3.0  # after which a server that should have given up is taken for hung
_LEAVE_S: Final = 1.0
_IDLE_S: Final = 30.0
_KEEPALIVE: Final = {"idle": 30, "interval": 10, "count": 3}  # a client without power: a minute
_OLDEST: Final = 180_000
# every schema has this table, from its first migration on
_LOOK: Final = sa.text("""
    SELECT current_setting('server_version_num'), to_regclass('offsets') IS NOT NULL
""")


class _Patient(asyncpg.Connection):  # type: ignore[misc]
    """Takes its leave within seconds, where asyncpg waits for a hung server as long as before."""

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ASYNC109 - asyncpg's own
        if query == "ROLLBACK;" and timeout is None:
            timeout = _LEAVE_S
        said: str = await super().execute(query, *args, timeout=timeout)
        return said

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncpg's own
        await super().close(timeout=_LEAVE_S if timeout is None else timeout)


@asynccontextmanager
async def open_engine(
    url: str,
    *,
    schema: str,
    pool_size: int = 8,
    statement: timedelta = STATEMENT,
    fresh_plans: bool = False,
    metrics: PoolMetrics | None = None,
) -> AsyncIterator[AsyncEngine]:
    """Yield an engine whose connections see `schema` and give up in time.

    A statement ends after `statement`, or a few seconds later where the server hangs; one that
    waits for a lock ends earlier. A transaction left idle ends after half a minute, so that a
    stopped owner does not hold everybody's rows. `fresh_plans`: each statement is planned for its
    values, where one plan for all windows would take ten times as long for some.
    """
    bound_s = statement.total_seconds()
    opened: WeakSet[_Patient] = WeakSet()

    async def connect(*where: Any, **how: Any) -> _Patient:
        how |= connect_arguments(url)
        connection: _Patient = await asyncpg.connect(*where, connection_class=_Patient, **how)
        opened.add(connection)
        return connection

    engine = create_async_engine(
        async_url(url),
        poolclass=None if metrics is None else metrics.pool_class(),
        pool_size=pool_size,
        max_overflow=4,
        pool_timeout=10,
        pool_pre_ping=False,
        hide_parameters=True,  # values are customers', and errors go to logs
        connect_args={
            "timeout": _CONNECT_S,
            "command_timeout": bound_s + _GRACE_S,
            "async_creator_fn": connect,
            "server_settings": {
                "search_path": schema,
                "application_name": f"earshot-{schema}",
                "statement_timeout": _milliseconds(bound_s),
                # earlier, for a lock is weather, while a slow statement makes batches smaller
                "lock_timeout": _milliseconds(0.8 * bound_s),
                "idle_in_transaction_session_timeout": _milliseconds(_IDLE_S),
                # nothing else ends a statement whose answer a stopped client does not take
                "tcp_user_timeout": _milliseconds(_IDLE_S),
                **{f"tcp_keepalives_{name}": str(value) for name, value in _KEEPALIVE.items()},
                "timezone": "UTC",
                "jit": "off",
                "plan_cache_mode": "force_custom_plan" if fresh_plans else "auto",
            },
        },
    )
    try:
        yield engine
    finally:
        await _close_all(opened)
        await engine.dispose()


async def _close_all(connections: Iterable[_Patient]) -> None:
    """All at once: the engine would wait for a hung server once a connection."""
    leaving = [asyncio.ensure_future(one.close()) for one in connections if not one.is_closed()]
    if leaving:
        await asyncio.wait(leaving)
    for task in leaving:
        task.exception()  # it is gone either way


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))


async def database_fault(engine: AsyncEngine) -> str | None:
    """Why the database cannot be used now, or None."""
    try:
        async with engine.connect() as connection:
            number, tables = (await connection.execute(_LOOK)).one()
    except (sa.exc.SQLAlchemyError, OSError, TimeoutError) as error:
        return f"{type(error).__name__}: {_why(error)}".removesuffix(": ")
    if int(number) < _OLDEST:
        return f"PostgreSQL 18 or newer is needed, this is {int(number) // 10000}"
    return None if tables else "its tables are missing: `python -m services migrate` makes them"


def _why(error: BaseException) -> str:
    """Why there is no connection in TLS; of other faults the kind alone, for texts hold values."""
    if isinstance(error, TlsFilesFault) or type(error) is ConnectionError:  # it refuses TLS
        return str(error)
    return tls_fault(error) or ""


def database_check(engine: AsyncEngine) -> Callable[[], Awaitable[str | None]]:
    """A part of `/readyz`: why the database cannot be used now."""

    async def check() -> str | None:
        return await database_fault(engine)

    return check
