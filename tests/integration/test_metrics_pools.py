"""What is shown of connections to the database."""

import asyncio

import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from shared.db import AWAY, open_engine
from shared.metrics import PoolMetrics


class Shown:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = PoolMetrics(self.registry)

    def __call__(self, name: str, **labels: str) -> float:
        value = self.registry.get_sample_value(f"earshot_database_{name}", labels)
        assert value is not None
        return value


async def test_connections_and_the_wait_for_one_are_shown(database_url: str) -> None:
    shown = Shown()
    async with open_engine(
        database_url, schema="trigger", pool_size=1, metrics=shown.metrics
    ) as engine:
        async with engine.connect() as one, engine.connect() as two:
            await asyncio.gather(*(c.execute(sa.text("SELECT pg_sleep(0.01)")) for c in (one, two)))
            assert shown("connections", state="in-use") == 2
        assert shown("connections", state="in-use") == 0
        assert shown("connections", state="idle") == 1
        assert shown("connections_max") == 5
        assert shown("connection_wait_seconds_count") == 2
        assert 0 < shown("connection_wait_seconds_sum") < 5


async def test_a_connection_that_was_not_had_is_counted() -> None:
    shown = Shown()
    async with open_engine(
        "postgresql://nobody@127.0.0.1:9/none", schema="trigger", metrics=shown.metrics
    ) as engine:
        with pytest.raises(AWAY):
            async with engine.connect():
                pytest.fail("nobody listens there")

    assert shown("connection_failures_total") == 1
    assert shown("connection_wait_seconds_count") == 1
