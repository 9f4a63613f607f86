"""Processes 1, 2 in one group on 12 partitions; the cores carry PostgreSQL and Kafka too."""

import asyncio
import json
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
import psutil

from benchmarks.figures import Figures, Table
from benchmarks.growth.databases import connected
from benchmarks.growth.growing import Place, Taken, in_rounds
from benchmarks.growth.loops import LOOPS, Loop
from benchmarks.growth.partitions import Topics
from shared.db import open_engine
from shared.events import PARTITIONS
from shared.stream.offsets import Offsets
from shared.stream.records import Partition

NUMBERS = (1, 2)
_RECORDS = {"scoring": 25_000, "trigger": 12_000}
_LOOK_S = 0.02
_JOINED_S = 60.0
_SETTLED_S = 120.0
_HEAD = ("processes", "{}/s", "x one process", "the processes, µs each", "PostgreSQL, µs each")


class Member:
    """One process: it says how many partitions it has."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._times = psutil.Process(process.pid)
        self.homes = 0

    async def listen(self) -> None:
        """Hear it to its end."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.homes = json.loads(line)["homes"]

    def look(self) -> None:
        """Whether it is still there. Raises SystemExit."""
        if self._process.returncode is not None:
            raise SystemExit(f"a member of the group ended: {self._process.returncode}")

    def go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"go\n")

    @property
    def spent_s(self) -> float:
        times = self._times.cpu_times()
        return float(times.user + times.system)


async def processes(place: Place, figures: Figures) -> None:
    """A table for each loop."""
    for loop in LOOPS.values():
        topics = Topics(place, loop, PARTITIONS)
        await topics.fill(place.part_of(_RECORDS[loop.name]))

        async def measure(number: int, loop: Loop = loop, topics: Topics = topics) -> Taken:
            return await _measure(place, loop, topics, number)

        found = await in_rounds(place.rounds, NUMBERS, measure)
        rows = [
            (number, one.rate, one.rate / found[1].rate, one.own_us, one.postgres_us)
            for number, one in found.items()
        ]
        head = [text.format(loop.things) for text in _HEAD]
        title = f"{loop.name.title()}, by processes of its group on {PARTITIONS} partitions"
        figures.add(Table(f"processes-{loop.name}", title, head, rows))


async def _measure(place: Place, loop: Loop, topics: Topics, number: int) -> Taken:
    group = f"growth-{secrets.token_hex(4)}"
    homes = [Partition(topic, place) for topic in loop.topics for place in range(PARTITIONS)]
    async with place.databases.fresh() as url, connected(url, loop.name) as connection:
        async with open_engine(url, schema=loop.name) as engine:
            await Offsets(engine, group=group, log=group).start(dict.fromkeys(homes, 0))
        command = [topics.broker.bootstrap, topics.broker.prefix, url, group]
        async with _members(number, [loop.name, *command]) as members:
            await _until_shared(members, len(homes))
            own = sum(one.spent_s for one in members)
            with place.meter.over() as spent:
                for one in members:
                    one.go()
                await _until_settled(connection, topics.lying, members)
            own = sum(one.spent_s for one in members) - own
    each = 1e6 / topics.lying
    return Taken(spent.clock_s * each, own * each, spent.postgres_s * each)


@asynccontextmanager
async def _members(number: int, arguments: Sequence[str]) -> AsyncIterator[list[Member]]:
    command = [sys.executable, "-m", "benchmarks.growth.member", *arguments]
    async with AsyncExitStack() as stack:
        members = []
        for _ in range(number):
            process = await asyncio.create_subprocess_exec(
                *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            stack.push_async_callback(_end, process)
            members.append(Member(process))
        hearing = [asyncio.create_task(one.listen()) for one in members]
        yield members
        for task in hearing:
            task.cancel()


async def _end(process: asyncio.subprocess.Process) -> None:
    process.kill()
    await process.wait()


async def _until_shared(members: Sequence[Member], homes: int) -> None:
    """Each has its equal share of the partitions."""
    deadline = time.monotonic() + _JOINED_S
    while any(one.homes != homes // len(members) for one in members):
        _look_at(members)
        if time.monotonic() > deadline:
            raise SystemExit(f"partitions are not shared: {[one.homes for one in members]}")
        await asyncio.sleep(_LOOK_S)


async def _until_settled(
    connection: asyncpg.Connection, records: int, members: Sequence[Member]
) -> None:
    """Raises TimeoutError, and SystemExit where a member has ended."""
    settled = "SELECT sum(next) FROM offsets"
    async with asyncio.timeout(_SETTLED_S):
        while await connection.fetchval(settled) < records:
            _look_at(members)
            await asyncio.sleep(_LOOK_S)


def _look_at(members: Sequence[Member]) -> None:
    for one in members:
        one.look()
