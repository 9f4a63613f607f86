"""A recount is as long as it has to be, while no statement of it is."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from services.scoring.domain.cells import Layout
from services.scoring.store import adopt, layout
from shared.db import open_engine

SERIES = 60
_SLOW = (
    (
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(0.02); RETURN old; END $$"
    ),
    "CREATE TRIGGER slow BEFORE DELETE ON counts FOR EACH ROW EXECUTE FUNCTION slow()",
    (
        "INSERT INTO series SELECT g, 'nps', 10, 's', '', '{}'"
        f" FROM generate_series(-{SERIES}, {SERIES}, 2) g"
    ),
    "INSERT INTO counts SELECT id, 1, 0,0,0,0,0,0,0,0,0,0,0, 0,0 FROM series",
)


@pytest.mark.thorough
async def test_many_counts_are_forgotten_in_many_statements(
    fresh_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "_SERIES_AT_ONCE", 7, raising=False)
    statement = timedelta(seconds=0.6)  # all rows together take twice as long
    async with open_engine(fresh_database_url, schema="scoring", statement=statement) as engine:
        async with engine.begin() as connection:
            for one in _SLOW:
                await connection.execute(sa.text(one))
        assert await adopt(engine, Layout({"region": None}))
        async with engine.connect() as connection:
            left = await connection.execute(sa.text("SELECT count(*) FROM counts"))
            assert left.scalar_one() == 0
