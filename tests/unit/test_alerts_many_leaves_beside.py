"""What is behind a rise in many leaves takes time: others share the loop meanwhile."""

import asyncio
import contextlib

from services.alerts.domain.streams import LeafTick
from services.alerts.handlers.locating import SCENES_KEPT, Scenes
from tests.unit.test_alerts_raising import MINUTE, FakePast, build_bench

MANY = 6_000


async def test_a_scene_is_set_beside_the_event_loop() -> None:
    bench = build_bench()
    ticks = [LeafTick(f'{{"agent":"{i}","region":"EU"}}', 3, i % 2) for i in range(MANY)]
    bench.past = FakePast(*ticks)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.001)

    task = asyncio.ensure_future(others())
    scene = await Scenes(bench, MINUTE).since(MINUTE - 10)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

    assert len(scene.leaves) == MANY
    assert turns > 2


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
