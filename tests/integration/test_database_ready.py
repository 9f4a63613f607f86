"""What `/readyz` says of a database: one that was lost or never migrated cannot be worked with."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import SCHEMAS, database_fault, open_engine
from tests.support.stream import engine, module_database_url

__all__ = ["engine", "module_database_url"]


@pytest.mark.parametrize("schema", SCHEMAS)
async def test_a_migrated_schema_has_no_fault(database_url: str, schema: str) -> None:
    async with open_engine(database_url, schema=schema) as migrated:
        assert await database_fault(migrated) is None


async def test_a_schema_that_is_gone_is_named_with_what_makes_it(
    engine: AsyncEngine, module_database_url: str
) -> None:
    assert await database_fault(engine) is None
    async with open_engine(module_database_url, schema="scoring") as empty:
        assert "services migrate" in (await database_fault(empty) or "")
