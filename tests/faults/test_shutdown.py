"""G16: SIGTERM under load loses nothing, fails nobody, and does not last."""

import asyncio
import itertools
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

import pytest

from shared.events import Topic
from tests.faults.conftest import Say
from tests.support.callers import Caller
from tests.support.doors import Doors
from tests.support.fleet import Replica, open_fleet
from tests.support.ground import Ground
from tests.support.load import body_of
from tests.support.stillness import family, standing_still
from tests.support.tally import tally, until_settled

WITHIN_S: Final = 10.0
PATHS: Final = {
    "ingest": "/v1/responses",
    "scoring": "/v1/scores?metric=nps",
    "trigger": "/v1/decisions",
    "alerts": "/v1/alerts",
}
PARTITIONS: Final = 36  # of scoring's three topics


@pytest.mark.parametrize(
    "rounds", [1, pytest.param(20, marks=(pytest.mark.slow, pytest.mark.timeout(900)))]
)
async def test_terminated_under_load(
    ground: Ground, programme: Path, tmp_path: Path, say: Say, rounds: int
) -> None:
    async with open_fleet(ground, tmp_path, programme, EARSHOT_KAFKA_SESSION="30s") as fleet:
        await asyncio.gather(*(fleet.up(name) for name in PATHS))
        leaving = list(fleet.replicas)
        (staying,) = await fleet.up("scoring")
        callers, stop = [one for replica in leaving for one in callers_of(replica)], asyncio.Event()
        pause_s = 0.005 if rounds == 1 else 0.03  # so that the numbers last
        load = [asyncio.create_task(one.run(stop, pause_s=pause_s)) for one in callers]
        ends, handed_s = [], []
        for _ in range(rounds):
            await until_shared(staying)
            await asyncio.sleep(1)
            asked = time.time()
            ends += await asyncio.gather(*(one.terminate() for one in leaving))
            handed_s.append(await taken_over(staying) - asked)
            await asyncio.gather(*(one.start() for one in leaving))
        stop.set()
        await asyncio.gather(*load)
        acked = {number for one in callers if one.path == PATHS["ingest"] for number in one.acked}
        await until_settled(fleet, "scoring", Topic.SURVEY_RESPONSES)
        counts = await tally(fleet, acked)
        failed = [fault for one in callers for fault in one.failed]
        answered = sum(one.statuses.total() for one in callers)
        say(
            f"{len(ends)} ends, the slowest in {max(took for _, took in ends):.2f} s, exit codes "
            f"{sorted({code for code, _ in ends})}; {answered} requests answered, {len(failed)} "
            f"failed, {sum(one.refused for one in callers)} refused before they were sent"
        )
        say(f"{counts}; partitions with the other replica after {max(handed_s):.2f} s at most")
        assert {code for code, _ in ends} == {0}
        assert max(took for _, took in ends) < WITHIN_S
        assert not failed
        assert {status for one in callers for status in one.statuses} == {200, 202}, [
            said for one in callers for said in one.put_off
        ]
        assert not counts.lost
        assert not counts.double
        assert max(handed_s) < WITHIN_S


@pytest.mark.parametrize(
    "hung",
    [
        ("kafka", "postgres"),
        pytest.param(("kafka",), marks=pytest.mark.slow),
        pytest.param(("postgres",), marks=pytest.mark.slow),
    ],
    ids="-".join,
)
async def test_terminated_while_what_it_stands_on_hangs(
    ground: Ground, programme: Path, tmp_path: Path, say: Say, hung: Sequence[str]
) -> None:
    async with open_fleet(ground, tmp_path, programme) as fleet:
        await asyncio.gather(*(fleet.up(name) for name in PATHS))
        doors = Doors(fleet.http, fleet.replicas[0].url)
        load = asyncio.create_task(doors.run(8))
        await asyncio.sleep(1)
        with suspended(ground, hung):
            await asyncio.sleep(1)
            ends = await asyncio.gather(*(one.terminate(30) for one in fleet.replicas))
        doors.stop.set()
        await load
        await ground.serves()
        took = {one.service: f"{s:.1f} s" for one, (_, s) in zip(fleet.replicas, ends, strict=True)}
        say(f"{' and '.join(hung)} hung: ended in {took}")
        assert {code for code, _ in ends} == {0}
        assert max(s for _, s in ends) < WITHIN_S


def callers_of(replica: Replica) -> list[Caller]:
    """Two that keep their connection, two that open a new one for each request."""
    callers = [Caller(replica.port, PATHS[replica.service], keeps=n < 2) for n in range(4)]
    if replica.service == "ingest":
        numbers = itertools.count()
        for one in callers:
            one.body, one.numbers = body_of, numbers
    return callers


async def until_shared(replica: Replica) -> None:
    """Return once it has partitions, and not all."""
    while not 0 < (assignments(replica) or [(0.0, 0)])[-1][1] < PARTITIONS:
        await asyncio.sleep(0.05)


async def taken_over(replica: Replica) -> float:
    """When it had all partitions."""
    async with asyncio.timeout(60):
        while (assignments(replica) or [(0.0, 0)])[-1][1] != PARTITIONS:
            await asyncio.sleep(0.05)
    return assignments(replica)[-1][0]


def assignments(replica: Replica) -> list[tuple[float, int]]:
    """When it was given how many partitions, by its own words."""
    said = [
        json.loads(line) for line in replica.log().splitlines() if "partitions assigned" in line
    ]
    return [(datetime.fromisoformat(one["ts"]).timestamp(), one["count"]) for one in said]


@contextmanager
def suspended(ground: Ground, names: Sequence[str]) -> Iterator[None]:
    """Whole servers that hang."""
    roots = {"kafka": ground.kafka.nodes[0].pid, "postgres": ground.postgres.pid}
    with standing_still(pid for name in names for pid in family(roots[name])):
        yield
