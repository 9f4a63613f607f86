"""While replicas are replaced, those of before the funnel and the columns count nothing more."""

import pytest
import sqlalchemy as sa

from shared.db import open_engine
from shared.stream.verdict import Verdict, judge

# The first statement of every batch, as it was up to migration 0002.
BEFORE = "SELECT paths::text, pairs::text FROM layout FOR SHARE"


async def test_a_batch_of_an_older_replica_waits(database_url: str) -> None:
    async with open_engine(database_url, schema="scoring") as engine:
        with pytest.raises(sa.exc.DBAPIError) as raised:
            async with engine.begin() as connection:
                await connection.execute(sa.text(BEFORE))

    assert judge(raised.value) is Verdict.WEATHER
