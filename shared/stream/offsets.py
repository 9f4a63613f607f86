"""Where each consumer stands, kept in the transaction that holds its effect.

The compare-and-set is the fence: a partition whose `next` is not what this consumer last knew was
moved by another owner, and its records are left out of the batch.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.stream.records import Partition


def create_table(op: Any) -> None:
    """Create `offsets` in the schema of the migration that calls this; `op` is alembic's."""
    op.create_table(
        "offsets",
        sa.Column("group_id", sa.Text, primary_key=True),
        sa.Column("log", sa.Text, primary_key=True),
        sa.Column("topic", sa.Text, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True),
        sa.Column("next", sa.BigInteger, nullable=False),
        sa.Column("topic_id", sa.Text, nullable=False, server_default=""),
    )


@dataclass(frozen=True, slots=True)
class Move:
    """One partition's step: from the first record taken to the one after the last."""

    home: Partition
    old: int
    new: int


_READ = sa.text(
    "SELECT topic, partition, next FROM offsets WHERE group_id = :group AND log = :log"
    " AND (topic, partition) IN"
    " (SELECT * FROM unnest(CAST(:topics AS text[]), CAST(:partitions AS int[])))"
)
_START = sa.text(
    "INSERT INTO offsets (group_id, log, topic, partition, next)"
    " SELECT :group, :log, f.topic, f.partition, f.next FROM unnest(CAST(:topics AS text[]),"
    " CAST(:partitions AS int[]), CAST(:nexts AS bigint[])) AS f(topic, partition, next)"
    " ON CONFLICT DO NOTHING"
)
_MOVE = sa.text(
    "UPDATE offsets o SET next = m.new FROM unnest(CAST(:topics AS text[]),"
    " CAST(:partitions AS int[]), CAST(:olds AS bigint[]), CAST(:news AS bigint[]))"
    " AS m(topic, partition, old, new)"
    " WHERE o.group_id = :group AND o.log = :log AND o.topic = m.topic"
    " AND o.partition = m.partition AND o.next = m.old"
    " RETURNING o.topic, o.partition"
)


_OURS = (
    " WHERE o.group_id = :group AND o.log = :log AND o.topic = m.topic"
    " AND o.partition = m.partition"
)
_NAMED = (
    " unnest(CAST(:topics AS text[]), CAST(:partitions AS int[]), CAST(:ids AS text[]))"
    " AS m(topic, partition, id)"
)
_NAME = sa.text(f"UPDATE offsets o SET topic_id = m.id FROM{_NAMED}{_OURS} AND o.topic_id = ''")  # noqa: S608
_OTHERS = sa.text(
    f"SELECT o.topic, o.partition FROM offsets o,{_NAMED}{_OURS} AND o.topic_id <> m.id"  # noqa: S608
)
_RESTART = sa.text(
    "UPDATE offsets o SET next = m.next, topic_id = m.id FROM unnest(CAST(:topics AS text[]),"  # noqa: S608
    " CAST(:partitions AS int[]), CAST(:ids AS text[]), CAST(:nexts AS bigint[]))"
    f" AS m(topic, partition, id, next){_OURS} AND o.topic_id <> m.id"
    " RETURNING o.topic, o.partition"
)


class Offsets:
    """The table `offsets`, for one group on one log."""

    def __init__(self, engine: AsyncEngine, *, group: str, log: str) -> None:
        self._engine = engine
        self._names = {"group": group, "log": log}

    async def read(self, homes: Iterable[Partition]) -> dict[Partition, int]:
        """The stored `next` of each partition that has one."""
        async with self._engine.connect() as connection:
            rows = await connection.execute(_READ, self._names | _columns(list(homes)))
            return {Partition(topic, number): int(offset) for topic, number, offset in rows}

    async def start(self, firsts: Mapping[Partition, int]) -> dict[Partition, int]:
        """Store where partitions begin that were never read; who was first wins."""
        values = self._names | _columns(list(firsts)) | {"nexts": list(firsts.values())}
        async with self._engine.begin() as connection:
            await connection.execute(_START, values)
        return await self.read(firsts)

    async def strangers(self, ids: Mapping[Partition, str]) -> set[Partition]:
        """Which of the stored places belong to another topic of that name, by the topics' ids.

        A place without an id gets the one that is brought.
        """
        values = self._names | _columns(list(ids)) | {"ids": list(ids.values())}
        async with self._engine.begin() as connection:
            await connection.execute(_NAME, values)
            rows = await connection.execute(_OTHERS, values)
            return {Partition(topic, number) for topic, number in rows}

    async def restart(
        self, ids: Mapping[Partition, str], firsts: Mapping[Partition, int]
    ) -> set[Partition]:
        """Begin topics that were made anew; return the partitions where nobody did before."""
        values = self._names | _columns(list(firsts)) | {"nexts": list(firsts.values())}
        async with self._engine.begin() as connection:
            rows = await connection.execute(
                _RESTART, values | {"ids": [ids[home] for home in firsts]}
            )
            return {Partition(topic, number) for topic, number in rows}

    async def jump(self, move: Move) -> bool:
        """Move one partition outside of any batch; False where another owner was there first."""
        return bool(await self.advance([move]))

    async def advance(self, moves: Sequence[Move]) -> set[Partition]:
        """Move partitions outside of any batch; return those that moved."""
        async with self._engine.begin() as connection:
            return await self.move(connection, moves)

    async def move(self, connection: AsyncConnection, moves: Sequence[Move]) -> set[Partition]:
        """Compare and set; return the partitions that moved. The others are not ours."""
        values = {"olds": [move.old for move in moves], "news": [move.new for move in moves]}
        rows = await connection.execute(
            _MOVE, self._names | _columns([move.home for move in moves]) | values
        )
        return {Partition(topic, number) for topic, number in rows}


def _columns(homes: Sequence[Partition]) -> dict[str, list[object]]:
    return {
        "topics": [home.topic for home in homes],
        "partitions": [home.number for home in homes],
    }
