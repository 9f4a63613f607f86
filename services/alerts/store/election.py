"""Who judges: one process at a time, and none that is older than what was judged last."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.alerts.domain import layout
from services.alerts.domain.layout import Outdated

JUDGE: Final = 0x6561_7273_686F_7401  # an advisory lock
STANDSTILL_S: Final = 10
_ELECT: Final = sa.text("SELECT pg_try_advisory_lock(:key)")
_NEWEST: Final = sa.text("SELECT coalesce(max(layout), 0) FROM lines")
# A judge takes turns twice a second. One that stands still (stopped, starved, its machine lost)
# would hold the lock for as long as its connection lives: PostgreSQL ends that.
_KEEP_TURNING: Final = sa.text("""
    SELECT set_config('idle_session_timeout', :most, false),
        set_config('idle_in_transaction_session_timeout', :most, false)
""")


async def elect(engine: AsyncEngine) -> AsyncConnection | None:
    """A connection that holds the judge's lock for as long as it lives; None where another does.

    It ends when nothing is asked of it for 10 s: not to be given back to others. Raises Outdated,
    and does not hold the lock then.
    """
    connection = await engine.connect()
    try:
        async with connection.begin():
            await _check(connection)  # first, so that it stands in no newer one's way
            elected = (await connection.execute(_ELECT, {"key": JUDGE})).scalar_one()
            if elected:
                await _check(connection)  # again: a newer one may just have let go
                await connection.execute(_KEEP_TURNING, {"most": f"{STANDSTILL_S}s"})
    except BaseException:
        await connection.invalidate()  # the lock goes with it, if it was held
        raise
    if not elected:
        await connection.close()
        return None
    return connection


async def find_newer(connection: AsyncConnection) -> Outdated | None:
    """Whether a newer version has judged."""
    newest = (await connection.execute(_NEWEST)).scalar_one()
    return Outdated(newest, layout.LAYOUT) if newest > layout.LAYOUT else None


async def _check(connection: AsyncConnection) -> None:
    newer = await find_newer(connection)
    if newer is not None:
        raise newer
