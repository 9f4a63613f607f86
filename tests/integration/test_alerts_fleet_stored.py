"""The fleet on real PostgreSQL: numbers that an older version stored, and the way on from there."""

from collections.abc import AsyncIterator

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.domain.answers import Line
from services.alerts.domain.state import STATE_COLUMNS
from services.alerts.domain.terms import Policy
from services.alerts.store import fleet as store
from services.alerts.store.fleet import Fleet, read_fleet, write_fleet
from shared.db import open_engine
from tests.support.alerts import LATTICE

LINE = Line("nps", "post-delivery")
OLD = STATE_COLUMNS.index("hour_answers")  # columns, before the hours were learned
LEAVES = ('{"region":"EU"}', '{"region":"US"}')


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(fresh_database_url, schema="alerts") as engine:
        async with engine.begin() as connection:
            await connection.execute(sa.text("INSERT INTO lines VALUES (:m, :s)"), _names())
        yield engine


async def test_streams_that_were_quiet_since_an_upgrade_keep_their_numbers(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_AT_ONCE", 2)  # of three
    fleet = await _read(engine)
    for leaf in LEAVES:
        fleet.catalogue.rows_of(leaf, fleet.state)
    fleet.state.values[STATE_COLUMNS.index("seen")] = (7, 8, 9)
    await _write(engine, fleet, {0, 1, 2})
    async with engine.begin() as connection:
        await connection.execute(
            sa.text("UPDATE streams SET state = substring(state FOR :size)"), {"size": 8 * OLD}
        )
        await connection.execute(sa.text(f"UPDATE lines SET columns = columns[1:{OLD}]"))

    upgraded = await _read(engine)
    await _write(engine, upgraded, {1})  # the others have no answers
    again = await _read(engine)

    assert again.catalogue.segments == ["{}", *LEAVES]
    assert again.state.seen.tolist() == [7, 8, 9]
    both = np.arange(3)
    assert np.array_equal(again.state.to_rows(both), upgraded.state.to_rows(both), equal_nan=True)


async def _read(engine: AsyncEngine) -> Fleet:
    async with engine.begin() as connection:
        return await read_fleet(connection, LINE, 0, Policy(), LATTICE)


async def _write(engine: AsyncEngine, fleet: Fleet, touched: set[int]) -> None:
    async with engine.begin() as connection:
        await write_fleet(connection, fleet, touched)


def _names() -> dict[str, str]:
    return {"m": LINE.metric, "s": LINE.survey}
