"""G1: what ingest acknowledged is on Kafka and in the counts, whoever is killed then."""

import asyncio
import random
from pathlib import Path
from typing import Final

import pytest

from shared.events import Topic
from shared.stream import Outgoing
from shared.stream.kafka import open_producer
from shared.wire import encode
from tests.faults.conftest import Say
from tests.support.doors import SURVEY, Door, Doors, found, numbers_of
from tests.support.fleet import Fleet, open_fleet
from tests.support.ground import Ground
from tests.support.load import PROBES, number_of
from tests.support.scoring import invitation
from tests.support.tally import Tally, compare, counted, fetch, tally, until_settled

SENDERS: Final = 16
_PAGES: Final = f"SELECT id FROM scoring.answers WHERE survey = '{SURVEY}' AND score IS NOT NULL"


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
        pages = await pages_counted(fleet, doors)
        seen = set(await fetch(fleet, _PAGES))
        unheard = sum(one.said.endswith("Error") for one in doors.heard if one.sent)
        say(
            f"{kills} kills of ingest, {broker_kills} of the broker: {there}; {unheard} requests "
            f"without a reply; answers: {counts}; pages: {pages}"
        )
        assert all(doors.acked[door] for door in Door)
        assert unheard
        assert not there.missing
        assert counts.exact
        assert pages.exact
        assert doors.acked[Door.PAGE] <= seen <= doors.tried[Door.PAGE]


async def pages_counted(fleet: Fleet, doors: Doors) -> Tally:
    """The answers on the survey's page, once their invitations have told them apart."""
    asked = [
        invitation(
            page, survey=SURVEY, metric="csat", scale=(1, 5),
            segments={"probe": probe_of(number_of_page(page))},
        )
        for page in doors.tried[Door.PAGE]
    ]  # fmt: skip
    async with open_producer(fleet.broker) as producer:
        await producer.send(
            [Outgoing(Topic.SURVEY_INVITATIONS, a.id.encode(), encode(a)) for a in asked]
        )
    await until_settled(fleet, "scoring", Topic.SURVEY_INVITATIONS)
    found = await counted(fleet.database_url, SURVEY)
    pages = compare(map(cell_of, doors.acked[Door.PAGE]), found)
    return pages.without(map(cell_of, doors.tried[Door.PAGE]))


def number_of_page(page: str) -> int:
    return int(page.removeprefix("i-"))


def probe_of(number: int) -> str:
    """Five pages share it, of which each has another score."""
    assert number < 5 * PROBES
    return f"p{number // 5:04}"


def cell_of(page: str) -> int:
    """The answer that would be counted where this page is: columns begin at the lowest score."""
    number = number_of_page(page)
    return number_of(probe_of(number), number % 5)
