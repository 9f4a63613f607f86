"""A rise in many leaves, or in many streams at once, takes time: others share the loop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count

import numpy as np

from services.alerts.domain.streams import LeafTick
from services.alerts.handlers.locating import SCENES_KEPT, Scenes
from services.alerts.handlers.raising import A_TURN, raise_all
from tests.support.alerts_bench import MINUTE, FakePast, build_bench, fire

MANY = 6_000


@asynccontextmanager
async def counting_turns() -> AsyncIterator[Iterator[int]]:
    """Yield what counts on while others have their turns; its next is how many they had."""
    turns = count()

    async def others() -> None:
        while True:
            next(turns)
            await asyncio.sleep(0)

    task = asyncio.ensure_future(others())
    try:
        yield turns
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_scene_is_set_beside_the_event_loop() -> None:
    bench = build_bench()
    ticks = [LeafTick(f'{{"agent":"{i}","region":"EU"}}', 3, i % 2) for i in range(MANY)]
    bench.past = FakePast(*ticks)
    async with counting_turns() as turns:
        scene = await Scenes(bench, MINUTE).since(MINUTE - 10)

    assert len(scene.leaves) == MANY
    assert next(turns) > 2


async def test_few_scenes_are_kept() -> None:
    bench = build_bench()
    past = FakePast(LeafTick('{"region":"EU"}', 3, 1))
    bench.past = past
    scenes = Scenes(bench, MINUTE)
    onsets = range(MINUTE - SCENES_KEPT - 1, MINUTE)
    for first in onsets:
        await scenes.since(first)

    await scenes.since(onsets[-1])
    assert past.asked == len(onsets)
    await scenes.since(onsets[0])
    assert past.asked == len(onsets) + 1


async def test_all_streams_may_cross_at_once() -> None:
    bench = build_bench("eu_shoes", "eu_hats", "us_shoes", "us_hats")
    for i in range(2 * A_TURN):
        bench.catalogue.rows_of(f'{{"product":"p{i}","region":"EU"}}', bench.fleet)
    everyone = bench.catalogue.segments
    bench.fleet.baseline_detractors = bench.fleet.baseline_detractors + 1.0
    bench.fleet.baseline_others = bench.fleet.baseline_others + 9.0

    found = fire(bench, "{}")
    evidence = np.full(len(everyone), 15.0)
    evidence[0] = 20.0
    judgement = replace(found.judgement, log_evidence=evidence, fired=evidence > 10)

    async with counting_turns() as turns:
        await raise_all(bench, replace(found, judgement=judgement))

    (case,) = bench.docket.cases.values()
    assert set(case.holds) == set(range(len(everyone)))
    assert next(turns) > 2
