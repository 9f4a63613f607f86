"""Decided again from what was kept: the same by the same programme, and what another would do."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from random import Random

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.programme.asking import Cap
from shared.programme.models import Programme
from tests.support.lived import BEGIN, CAPS, Decided, Life, again, decided, events_of, town
from tests.support.trigger_rig import emptied

DAYS = 4.0
UNTIL = DAYS * 86_400
EVENTS = events_of(4, 600, DAYS)


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    async with emptied(fresh_database_url) as engine:
        yield engine


@pytest.fixture
async def another(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with emptied(database_url) as engine:
        yield engine


async def live(engine: AsyncEngine, programme: Programme, *, lag: bool) -> Life:
    life = Life(engine, programme, Random(7), lag)
    await life.live(EVENTS, UNTIL)
    return life


def differing(one: Decided, other: Decided) -> dict[tuple[str, str], tuple[str, str]]:
    keys = one.keys() | other.keys()
    both = {key: (one.get(key, "-"), other.get(key, "-")) for key in sorted(keys)}
    return {key: pair for key, pair in both.items() if pair[0] != pair[1]}


@pytest.mark.parametrize("lag", [False, True])
async def test_the_same_programme_decides_the_same(engine: AsyncEngine, lag: bool) -> None:
    life = await live(engine, town(), lag=lag)

    effect = await again(engine, town(), life.now + timedelta(seconds=1))

    found = Counter(reason for reason in (await decided(engine)).values())
    assert differing(await decided(engine), effect.again) == {}
    assert len(found) >= 15, found
