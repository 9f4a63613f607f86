"""Consumers of the tests' own, as processes beside a fleet: the plain one and the naive one.

Both add one to `tallied.n` for each record's id, and know no record again: a record that was taken
twice counts twice, one that was skipped not at all.
"""

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from shared.durations import parse_duration
from shared.events import Topic
from tests.support.fleet import Fleet, Replica
from tests.support.ports import free_ports
from tests.support.tally import Tally, compare, connect

_ADD = (
    "INSERT INTO tallied AS t (id, n) SELECT id, count(*) FROM unnest({ids}) AS id"
    " GROUP BY id ORDER BY id ON CONFLICT (id) DO UPDATE SET n = t.n + excluded.n"
)
COUNT = _ADD.format(ids="$1::text[]")
COUNT_NAMED = _ADD.format(ids="CAST(:ids AS text[])")
_TABLES = """
CREATE TABLE tallied (id text PRIMARY KEY, n int NOT NULL);
CREATE TABLE offsets (LIKE scoring.offsets INCLUDING ALL);
"""


@dataclass(frozen=True)
class Post:
    """What such a process is told by its environment.

    `idle` is after which idleness PostgreSQL ends a transaction, where it is not as in the product.
    """

    bootstrap: str
    prefix: str
    topic: str
    database_url: str
    session_s: float
    idle: str
    port: int


def read_post() -> Post:
    told = os.environ
    return Post(
        told["EARSHOT_KAFKA_BOOTSTRAP"],
        told["EARSHOT_KAFKA_TOPIC_PREFIX"],
        Topic.SURVEY_RESPONSES,
        told["EARSHOT_DATABASE_URL"],
        parse_duration(told["EARSHOT_KAFKA_SESSION"]).total_seconds(),
        told.get("CREW_IDLE", ""),
        int(told["CREW_PORT"]),
    )


async def lay_tables(fleet: Fleet) -> None:
    connection = await connect(fleet.database_url)
    try:
        await connection.execute(_TABLES)
    finally:
        await connection.close()


def enlist(fleet: Fleet, module: str, **settings: str) -> Replica:
    """A process of `tests.support.<module>`, not yet launched."""
    (port,) = free_ports(1)
    replica = Replica(
        module,
        port,
        {**fleet.environment, "CREW_PORT": str(port), **settings},
        fleet.var / f"{module}-{len(fleet.replicas) + 1}.log",
        fleet.http,
        module=f"tests.support.{module}",
        ready_path="/metrics",
    )
    fleet.replicas.append(replica)
    return replica


async def tallied(fleet: Fleet, expected: Iterable[int]) -> Tally:
    """What they counted, per id."""
    connection = await connect(fleet.database_url)
    try:
        rows = await connection.fetch("SELECT id, n FROM tallied")
    finally:
        await connection.close()
    found = Counter({int(name.removeprefix("r-")): number for name, number in rows})
    return compare(expected, found)
