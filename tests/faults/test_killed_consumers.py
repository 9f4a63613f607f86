"""G4: each answer is counted exactly once, whoever is killed in the middle."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from tests.faults.conftest import Say
from tests.support.crew import enlist, lay_tables, tallied
from tests.support.fleet import open_fleet
from tests.support.ground import Ground
from tests.support.scored import expected_queues, last_told, queues, wrongly_told
from tests.support.storm import Storm, portions
from tests.support.tally import tally, until_settled

PLACES = "SELECT sum(next) FROM {}.offsets"


@dataclass(frozen=True)
class Size:
    """How long a test is to go on."""

    answers: int
    strikes: int
    postgres_every: int
    seed: int


SIZES = [
    pytest.param(Size(60_000, 4, 3, seed=4), id="short"),
    pytest.param(
        Size(60_000, 12, 3, seed=44), id="long", marks=[pytest.mark.slow, pytest.mark.timeout(300)]
    ),
]


@pytest.mark.parametrize("size", SIZES)
async def test_scoring_counts_each_answer_once_whoever_is_killed(
    ground: Ground, programme: Path, tmp_path: Path, say: Say, size: Size
) -> None:
    luck, numbers = Random(size.seed), range(size.answers)
    sent = [*numbers, *luck.sample(numbers, size.answers // 20)]
    async with open_fleet(ground, tmp_path, programme, EARSHOT_KAFKA_SESSION="2s") as fleet:
        replicas = await fleet.up("scoring", 3)
        storm = Storm(fleet, luck, PLACES.format("scoring"))
        await storm.blow(
            replicas, portions(luck, sent, size.strikes), postgres_every=size.postgres_every
        )
        await until_settled(fleet, "scoring", "survey-responses")

        found, told = await tally(fleet, numbers), await last_told(fleet)
        say(f"{found}; {storm}; of {len(told)} told, {len(wrongly_told(told, numbers))} wrong")
        assert found.exact
        assert await queues(fleet) == expected_queues(numbers)
        assert wrongly_told(told, numbers) == set()


@pytest.mark.parametrize("size", SIZES)
async def test_the_loop_alone_counts_each_record_once_whoever_is_killed(
    ground: Ground, programme: Path, tmp_path: Path, say: Say, size: Size
) -> None:
    """No handler here knows a record again: the compare-and-set alone makes it once."""
    luck, numbers = Random(size.seed), range(size.answers // 2)
    async with open_fleet(ground, tmp_path, programme, EARSHOT_KAFKA_SESSION="2s") as fleet:
        await lay_tables(fleet)
        replicas = [enlist(fleet, "plain") for _ in range(3)]
        await asyncio.gather(*(replica.start() for replica in replicas))
        storm = Storm(fleet, luck, PLACES.format("public"))
        await storm.blow(
            replicas, portions(luck, numbers, size.strikes), postgres_every=size.postgres_every
        )
        await until_settled(fleet, "public", "survey-responses")

        found = await tallied(fleet, numbers)
        say(f"{found}; {storm}")
        assert found.exact
