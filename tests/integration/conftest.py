"""The API of scoring, filled and built once a module; one with needs of its own overrides."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.scoring_api import fill, opened_client
from tests.support.scoring_columns import opened_replicas


@pytest.fixture(scope="module")
def filled(database_url: str) -> str:
    """A database in which the whole made-up history is counted."""
    fill(database_url)
    return database_url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(filled: str) -> AsyncIterator[httpx.AsyncClient]:
    """Ask scoring about `filled`; for tests on the module's loop."""
    async with opened_client(filled) as client:
        yield client


@pytest.fixture
async def engines(fresh_database_url: str) -> AsyncIterator[list[AsyncEngine]]:
    """Two replicas of scoring."""
    async with opened_replicas(fresh_database_url) as opened:
        yield opened
