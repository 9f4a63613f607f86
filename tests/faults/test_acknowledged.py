"""G1: what ingest acknowledged is on Kafka and in the counts, whoever is killed then."""

import asyncio
import random
from pathlib import Path
from typing import Final

import pytest

from shared.events import Topic
from tests.faults.conftest import Say
from tests.support.doors import SURVEY, Door, Doors, found, numbers_of
from tests.support.fleet import Fleet, open_fleet
from tests.support.ground import Ground
from tests.support.tally import connect, tally, until_settled

SENDERS: Final = 16
_PAGES: Final = f"SELECT id FROM scoring.answers WHERE survey = '{SURVEY}'"
_COUNTED: Final = (
    f"SELECT {' + '.join(f'sum(p{point})' for point in range(11))} FROM scoring.counts c"
    f" JOIN scoring.series s ON s.id = c.series WHERE s.survey = '{SURVEY}' AND s.slice = ''"
)


@pytest.mark.parametrize(
    ("kills", "broker_kills"),
    [(4, 1), pytest.param(60, 6, marks=(pytest.mark.slow, pytest.mark.timeout(900)))],
)
async def test_what_was_acknowledged_is_there_though_ingest_and_broker_are_killed(
    ground: Ground, programme: Path, tmp_path: Path, say: Say, kills: int, broker_kills: int
) -> None:
    luck = random.Random(1)
    async with open_fleet(ground, tmp_path, programme) as fleet:
        (ingest,), _ = await asyncio.gather(fleet.up("ingest"), fleet.up("scoring"))
        doors = Doors(fleet.http, ingest.url)
        load = asyncio.create_task(doors.run(SENDERS, again_s=0.2))
        for round_ in range(kills):
            await asyncio.sleep(luck.uniform(0.2, 1.0))
            ingest.kill()
            if round_ % (kills // broker_kills) == 0:  # both at the same moment
                ground.kill_kafka()
                await ground.revive()
            await ingest.start()
        await asyncio.sleep(0.5)
        doors.stop.set()
        await load
        there = await found(fleet, doors)
        await until_settled(fleet, "scoring", Topic.SURVEY_RESPONSES)
        answers = (Door.ANSWER, Door.BATCH)
        counts = await tally(fleet, numbers_of(name for d in answers for name in doors.acked[d]))
        counts = counts.without(numbers_of(name for d in answers for name in doors.tried[d]))
        seen, counted = await pages_counted(fleet)
        pages = doors.acked[Door.PAGE]
        unheard = sum(one.said.endswith("Error") for one in doors.heard if one.sent)
        say(
            f"{kills} kills of ingest, {broker_kills} of the broker: {there}; {unheard} requests "
            f"without a reply; answers: {counts}; pages: {len(pages)} acknowledged, "
            f"{len(pages - seen)} lost, {counted - len(seen)} double"
        )
        assert all(doors.acked[door] for door in Door)
        assert unheard
        assert not there.missing
        assert counts.exact
        assert pages <= seen
        assert counted == len(seen)


async def pages_counted(fleet: Fleet) -> tuple[set[str], int]:
    """Whose answer on the survey's page is known, and how many of that survey are counted."""
    connection = await connect(fleet.database_url)
    try:
        pages = {row["id"] for row in await connection.fetch(_PAGES)}
        return pages, int(await connection.fetchval(_COUNTED))
    finally:
        await connection.close()
