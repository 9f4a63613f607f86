"""A batch: decoded record by record, settled in one transaction."""

import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from shared.errors import Reason, Refused
from shared.stream.deadletter import PoisonGauge, dead_letter
from shared.stream.offsets import Move
from shared.stream.pipeline import Decode, Pipeline, Source
from shared.stream.records import Decoded, Partition, Record

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Item:
    """A record with what became of it: a value, or the reason why it is a dead letter."""

    record: Record
    value: Any = None
    refused: Refused | None = None


def decode_all(
    records: Sequence[Record], pipeline: Pipeline, poison: PoisonGauge, trickled: Collection[str]
) -> tuple[list[Item], set[Partition]]:
    """Decode in order. Of a topic that is mostly poison nothing is taken, or one where trickled.

    Returns the items and the partitions that were not taken to their end.
    """
    items: list[Item] = []
    left: set[Partition] = set()
    allowed = dict.fromkeys(trickled, 1)
    for record in records:
        if record.topic in poison.tripped:
            if record.home in left or not allowed.get(record.topic):
                left.add(record.home)
                continue
            allowed[record.topic] -= 1
        item = _decode(record, pipeline.decode[record.topic])
        poison.note(record.topic, poison=item.refused is not None)
        items.append(item)
    return items, left


def _decode(record: Record, decode: Decode) -> Item:
    try:
        return Item(record, decode(record))
    except Refused as refused:
        return Item(record, refused=refused)
    except Exception as error:  # noqa: BLE001 - a decoder's bug costs one record, not the batch
        _log.error(
            "decoder failed", topic=record.topic, partition=record.partition,
            offset=record.offset, exc_info=error,
        )  # fmt: skip
        return Item(record, refused=Refused(Reason.BUG, f"{type(error).__name__} in the decoder"))


def halves(batch: Sequence[Item]) -> list[list[Item]]:
    """Two batches in place of one; each partition stays in order across them."""
    middle = len(batch) // 2
    return [list(batch[:middle]), list(batch[middle:])]


def _moves(batch: Sequence[Item], source: Source) -> list[Move]:
    """One step per partition that is still ours, from its stored `next`."""
    ends: dict[Partition, int] = {}
    for item in batch:
        ends[item.record.home] = item.record.offset + 1
    return [
        Move(home, source.next_of[home], end)
        for home, end in sorted(ends.items())
        if home in source.next_of
    ]


async def settle(batch: Sequence[Item], source: Source, pipeline: Pipeline) -> None:
    """One transaction: offsets, the handler's work, dead letters, and only then the commit."""
    moves = _moves(batch, source)
    if not moves:
        return
    async with pipeline.engine.begin() as connection:
        moved = await source.offsets.move(connection, moves)
        mine = [item for item in batch if item.record.home in moved]
        good = [Decoded(item.record, item.value) for item in mine if item.refused is None]
        if good:
            await pipeline.handle(good, connection)
        now = datetime.now(UTC)
        await pipeline.producer.send(
            [
                dead_letter(item.record, item.refused, service=pipeline.service, now=now)
                for item in mine
                if item.refused is not None
            ]
        )
    _note_places(moves, moved, source)
    source.newest_ms = max([source.newest_ms, *(item.record.timestamp_ms for item in mine)])
    _count(batch, moved, pipeline)


def _note_places(moves: Sequence[Move], moved: set[Partition], source: Source) -> None:
    for move in moves:
        if move.home not in moved:
            source.replace(move.home)
        elif move.home in source.next_of:  # a rebalance meanwhile: it is placed anew
            source.next_of[move.home] = move.new


def _count(batch: Sequence[Item], moved: set[Partition], pipeline: Pipeline) -> None:
    outcomes: Counter[tuple[str, str]] = Counter()
    for item in batch:
        outcome = "ok" if item.refused is None else "dead-letter"
        outcomes[item.record.topic, outcome if item.record.home in moved else "fenced"] += 1
    for (topic, outcome), number in outcomes.items():
        pipeline.metrics.records.labels(topic, outcome).inc(number)
    fenced = {item.record.home for item in batch} - moved
    pipeline.metrics.fenced.inc(len(fenced))
    pipeline.metrics.last_progress.set(time.time())
