"""A line of very many leaves: the judge thinks for seconds, and neither loop nor lock is lost."""

from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.domain.answers import Line
from services.alerts.store.election import STANDSTILL_S, elect
from services.alerts.store.past import SqlPast
from shared.db import open_engine

LINE = Line("nps", "post-delivery")
_TICKS = sa.text("""
    INSERT INTO ticks (metric, survey, minute, leaf, cluster, answers, detractors)
    SELECT 'nps', 'post-delivery', 1000 + number / 1000, '{"agent":"' || number || '"}', '', 1, 0
    FROM generate_series(1, :many) AS number
""")
_IDLE = sa.text("SELECT current_setting('idle_in_transaction_session_timeout')")


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(fresh_database_url, schema="alerts") as engine:
        yield engine


@pytest.mark.parametrize(("many", "allowed"), [(1_000, f"{STANDSTILL_S}s"), (50_001, "1min")])
async def test_the_judge_may_think_for_longer_about_many_leaves_and_only_then(
    engine: AsyncEngine, many: int, allowed: str
) -> None:
    async with engine.begin() as connection:
        await connection.execute(_TICKS, {"many": many})
    judge = await elect(engine)
    assert judge is not None
    try:
        async with judge.begin():
            assert len(await SqlPast(judge, LINE).leaves(0, 2_000)) == many
            assert (await judge.execute(_IDLE)).scalar_one() == allowed
        async with judge.begin():
            assert (await judge.execute(_IDLE)).scalar_one() == f"{STANDSTILL_S}s"
    finally:
        await judge.invalidate()
        await judge.close()
