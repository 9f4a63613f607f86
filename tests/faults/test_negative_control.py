"""The harness sees: a deliberately naive consumer under the same kills loses and doubles."""

import asyncio
from pathlib import Path
from random import Random

from shared.events import Topic
from tests.faults.conftest import Say
from tests.support.crash_site import committed
from tests.support.crew import enlist, lay_tables, tallied
from tests.support.fleet import Fleet, open_fleet
from tests.support.ground import Ground
from tests.support.storm import Storm, portions
from tests.support.tally import ends

FEWEST, MOST = 3, 12  # strikes
PORTION = 3_000
HASTY_MS, LATE_MS = "50", "1500"  # commits before it has counted; long after it has


async def test_a_naive_consumer_is_caught_losing_and_doubling(
    ground: Ground, programme: Path, tmp_path: Path, say: Say
) -> None:
    """Each kill loses what was committed and not counted yet, or doubles what was not committed."""
    luck, fed = Random(5), 0
    async with open_fleet(ground, tmp_path, programme, EARSHOT_KAFKA_SESSION="2s") as fleet:
        await lay_tables(fleet)
        habits = (HASTY_MS, HASTY_MS, LATE_MS)
        replicas = [enlist(fleet, "naive", NAIVE_COMMIT_MS=each) for each in habits]
        await asyncio.gather(*(replica.start() for replica in replicas))
        storm = Storm(fleet, luck, "SELECT sum(n) FROM tallied")
        found = await tallied(fleet, ())
        for strike in range(1, MOST + 1):
            numbers = range(fed, fed + 2 * PORTION)
            await storm.blow(replicas, portions(luck, numbers, 1))
            fed = numbers.stop
            if strike < FEWEST:
                continue
            await until_all_is_committed(fleet)
            await storm.until_still(1.5)
            found = await tallied(fleet, range(fed))
            if found.lost and found.double:
                break

        say(f"{found}; the total is {await storm.stand()}; {storm}")
        assert found.lost
        assert found.double


async def until_all_is_committed(fleet: Fleet) -> None:
    """Nothing that is missing now will ever be read."""
    wanted = await ends(fleet, Topic.SURVEY_RESPONSES)
    async with asyncio.timeout(60):
        while await committed(fleet, "naive", Topic.SURVEY_RESPONSES) != wanted:
            await asyncio.sleep(0.2)
