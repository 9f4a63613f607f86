"""The harness sees: a deliberately naive consumer under the same kills loses and doubles."""

import asyncio
from pathlib import Path
from random import Random

from tests.faults.conftest import Say
from tests.support.crew import enlist, lay_tables, tallied
from tests.support.fleet import open_fleet
from tests.support.ground import Ground
from tests.support.storm import Storm, portions

STRIKES = 6


async def test_a_naive_consumer_is_caught_losing_and_doubling(
    ground: Ground, programme: Path, tmp_path: Path, say: Say
) -> None:
    luck, numbers = Random(5), range(30_000)
    async with open_fleet(ground, tmp_path, programme, EARSHOT_KAFKA_SESSION="2s") as fleet:
        await lay_tables(fleet)
        replicas = [enlist(fleet, "naive") for _ in range(3)]
        await asyncio.gather(*(replica.start() for replica in replicas))
        storm = Storm(fleet, luck, "SELECT sum(n) FROM tallied")
        await storm.blow(replicas, portions(luck, numbers, STRIKES))
        await storm.until_still(4.0)

        found = await tallied(fleet, numbers)
        say(f"{found}; the total is {await storm.stand()}; {storm}")
        assert found.lost
        assert found.double
