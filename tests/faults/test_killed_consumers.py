"""G4: each answer is counted exactly once, whoever is killed in the middle."""

import random
from pathlib import Path

from tests.faults.conftest import Say
from tests.support.fleet import open_fleet
from tests.support.ground import Ground
from tests.support.load import feed
from tests.support.tally import tally, until_settled


async def test_smoke(ground: Ground, programme: Path, tmp_path: Path, say: Say) -> None:
    luck = random.Random(3)
    numbers = list(range(20_000))
    async with open_fleet(ground, tmp_path, programme) as fleet:
        await feed(fleet.broker, numbers + luck.sample(numbers, 1_000))
        one, _ = await fleet.up("scoring", 2)
        one.kill()
        await one.start()
        await until_settled(fleet, "scoring", "survey-responses")
        found = await tally(fleet, numbers)
        say(found)
        assert found.exact
