"""G4: each answer is counted exactly once, whoever is killed in the middle."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from shared.events import Topic
from shared.stream import Broker, Outgoing
from shared.stream.kafka import open_producer
from tests.faults.conftest import Say
from tests.support.calls import asked, call_of
from tests.support.crew import enlist, lay_tables, tallied
from tests.support.evidence import evidence
from tests.support.fleet import open_fleet
from tests.support.ground import Ground
from tests.support.scored import expected_queues, last_told, queues, wrongly_told
from tests.support.storm import Storm, portions
from tests.support.tally import fetch, tally, until_settled

PLACES = "SELECT sum(next) FROM {}.offsets"


@dataclass(frozen=True)
class Size:
    """How long a test is to go on."""

    answers: int
    strikes: int
    postgres_every: int
    seed: int


SIZES = [
    pytest.param(Size(60_000, 3, 2, seed=4), id="short"),
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
        await until_settled(fleet, "scoring", Topic.SURVEY_RESPONSES)

        found, told = await tally(fleet, numbers), await last_told(fleet)
        say(f"{found}; {storm}; of {len(told)} told, {len(wrongly_told(told, numbers))} wrong")
        assert found.exact
        assert await queues(fleet) == expected_queues(numbers)
        assert wrongly_told(told, numbers) == set()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_the_whole_chain_counts_each_answer_once_whoever_is_killed(
    ground: Ground, programme: Path, tmp_path: Path, say: Say
) -> None:
    luck, numbers = Random(444), range(30_000)
    sent = [*numbers, *luck.sample(numbers, 1_500)]
    async with open_fleet(ground, tmp_path, programme, EARSHOT_KAFKA_SESSION="2s") as fleet:
        replicas = [*await fleet.up("scoring", 2), *await fleet.up("alerts", 2)]
        storm = Storm(fleet, luck, PLACES.format("alerts"))
        await storm.blow(replicas, portions(luck, sent, 10), postgres_every=3)
        await until_settled(fleet, "scoring", Topic.SURVEY_RESPONSES)
        await until_settled(fleet, "alerts", Topic.SCORED_RESPONSES)

        found, proof = await tally(fleet, numbers), await evidence(fleet, numbers)
        say(f"scoring {found}; alerts {proof}; {storm}")
        assert found.exact
        assert proof.exact


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_trigger_decides_each_event_once_whoever_is_killed(
    ground: Ground, programme: Path, tmp_path: Path, say: Say
) -> None:
    luck, numbers = Random(4444), range(6_000)
    sent = [*numbers, *luck.sample(numbers, 600)]
    async with open_fleet(ground, tmp_path, programme, EARSHOT_KAFKA_SESSION="2s") as fleet:
        replicas = await fleet.up("trigger", 3)
        storm = Storm(fleet, luck, PLACES.format("trigger"), feed_calls)
        await storm.blow(replicas, portions(luck, sent, 10), postgres_every=3)
        await until_settled(fleet, "trigger", Topic.SUPPORT_CALLS)

        found = (await asked(fleet, numbers)).decided
        invited = await fetch(fleet, "SELECT subject_id FROM trigger.invitations")
        say(f"{found}; {len(invited)} invitations; {storm}")
        assert found.exact
        assert sorted(invited) == sorted(f"call-{number}" for number in numbers)


async def feed_calls(broker: Broker, numbers: Sequence[int]) -> None:
    calls = [
        Outgoing(Topic.SUPPORT_CALLS, f"c-{number}".encode(), json.dumps(call_of(number)).encode())
        for number in numbers
    ]
    async with open_producer(broker) as producer:
        for first in range(0, len(calls), 200):
            await producer.send(calls[first : first + 200])


@pytest.mark.parametrize("size", SIZES[1:])
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
        await until_settled(fleet, "public", Topic.SURVEY_RESPONSES)

        found = await tallied(fleet, numbers)
        say(f"{found}; {storm}")
        assert found.exact
