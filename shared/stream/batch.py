"""A batch: decoded record by record, settled in one transaction."""

import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, repeat
from typing import Any, Final

import structlog

from shared.errors import Reason, Refused
from shared.failpoints import Point, hit
from shared.stream.ahead import Polled
from shared.stream.deadletter import dead_letter, is_replay
from shared.stream.offsets import Move
from shared.stream.pipeline import Decode, Pipeline, Source
from shared.stream.poison import PoisonGauge
from shared.stream.records import Decoded, Partition, Record

_log = structlog.get_logger()
_UNKNOWN: Final = object()


@dataclass
class Taken:
    """What was decoded of a poll: a value, or the Refused that makes a dead letter of it.

    `left` are partitions not taken to their end; `tried` are tripped topics of which one was taken.
    """

    items: list[Decoded] = field(default_factory=list)
    left: set[Partition] = field(default_factory=set)
    tried: set[str] = field(default_factory=set)


def decode_all(
    polled: Polled, pipeline: Pipeline, poison: PoisonGauge, due: Collection[str]
) -> Taken:
    """Decode in order. Of a topic that is mostly poison nothing is taken, or one where due."""
    taken, tripped = Taken(), poison.tripped
    values = chain(polled.values, repeat(_UNKNOWN))
    for record, known in zip(polled.records, values, strict=False):
        topic = record.topic
        if topic in tripped:
            if topic not in due or topic in taken.tried:
                taken.left.add(record.home)
                continue
            taken.tried.add(topic)
        value = decode(record, pipeline.decode) if known is _UNKNOWN else known
        bad = isinstance(value, Refused)
        if not (bad and is_replay(record)):  # an operator's trial says nothing about the topic
            poison.decoded(topic, poison=bad)
        taken.items.append(Decoded(record, value))
    return taken


def decode(record: Record, by_topic: Mapping[str, Decode]) -> Any:
    """The record's value, or the Refused that makes a dead letter of it."""
    try:
        return by_topic[record.topic](record)
    except Refused as refused:
        return refused
    except Exception as error:  # noqa: BLE001 - a decoder's bug costs one record, not the batch
        _log.error(
            "decoder failed", topic=record.topic, partition=record.partition,
            offset=record.offset, exc_info=error,
        )  # fmt: skip
        return Refused(Reason.BUG, f"{type(error).__name__} in the decoder")


def halves(batch: Sequence[Decoded]) -> list[list[Decoded]]:
    """Two batches in place of one; each partition stays in order across them."""
    middle = len(batch) // 2
    return [list(batch[:middle]), list(batch[middle:])]


async def settle(batch: Sequence[Decoded], source: Source, pipeline: Pipeline) -> Sequence[Record]:
    """One transaction: offsets, the handler's work, dead letters, and only then the commit.

    Records of partitions that are no longer ours are left out; who owns them takes them. Returns
    the last record of each partition that was settled.
    """
    lasts = {item.record[:2]: item.record for item in batch}  # (topic, partition): its last record
    moves = _moves(lasts.values(), source)
    if not moves:
        return []
    async with pipeline.engine.begin() as connection:
        hit(Point.TRANSACTION_OPEN)
        moved = await source.offsets.move(connection, moves)
        hit(Point.OFFSET_MOVED)
        whole = len(moved) == len(lasts)
        mine = batch if whole else [item for item in batch if item.record[:2] in moved]
        bad = [item for item in mine if isinstance(item.value, Refused)]
        good = [item for item in mine if not isinstance(item.value, Refused)] if bad else mine
        if good:
            await pipeline.handle(good, connection)
        if bad:
            now = datetime.now(UTC)
            await pipeline.producer.send(
                [dead_letter(item.record, item.value, service=pipeline.service, now=now)
                 for item in bad]
            )  # fmt: skip
    hit(Point.DATABASE_COMMITTED)
    _note_places(moves, moved, source)
    settled = [record for home, record in lasts.items() if home in moved]
    source.newest_ms = max([source.newest_ms, *(record.timestamp_ms for record in settled)])
    _count(batch, bad, moved, pipeline)
    return settled


def _moves(lasts: Collection[Record], source: Source) -> list[Move]:
    """One step per partition that is still ours, from its stored `next`."""
    moves = []
    for last in lasts:
        stored = source.next_of.get(last.home)
        if stored is not None and last.offset >= stored:
            moves.append(Move(last.home, stored, last.offset + 1))
    return sorted(moves, key=lambda move: move.home)


def _note_places(moves: Sequence[Move], moved: set[Partition], source: Source) -> None:
    for move in moves:
        if move.home not in moved:
            source.replace(move.home)
        elif move.home in source.next_of:  # a rebalance meanwhile: it is placed anew
            source.next_of[move.home] = move.new


def _count(
    batch: Sequence[Decoded], bad: Sequence[Decoded], moved: set[Partition], pipeline: Pipeline
) -> None:
    metrics, now = pipeline.metrics, time.time()
    dead = Counter(item.record.topic for item in bad)
    fenced: Counter[str] = Counter()
    numbers: Counter[str] = Counter()
    for home, number in Counter(item.record[:2] for item in batch).items():
        numbers[home[0]] += number
        if home not in moved:
            fenced[home[0]] += number
            metrics.fenced.inc()
    mine = [item for item in batch if item.record[:2] in moved] if fenced else batch
    for topic, number in numbers.items():
        ok = number - dead[topic] - fenced[topic]
        for outcome, count in (("ok", ok), ("dead-letter", dead[topic]), ("fenced", fenced[topic])):
            if count:
                metrics.records.labels(topic, outcome).inc(count)
        ages = [now - record.timestamp_ms / 1000 for record, _ in mine if record.topic == topic]
        metrics.record_age.labels(topic).observe_all(ages)
    metrics.last_progress.set(now)
