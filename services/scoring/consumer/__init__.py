"""Kafka comes in: one poll is one transaction, what it sends is acknowledged before the commit."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from services.scoring.consumer.records import build_decoders
from services.scoring.handlers import KindOf, Told, on_truths, scored_by
from services.scoring.metrics import TURNED_AWAY
from services.scoring.store import Book, SqlLedger
from shared.events import RecordRef, Topic
from shared.failpoints import Point, hit
from shared.stream.pipeline import Handle, Producer
from shared.stream.records import Decoded, Outgoing, Record

__all__ = ["build_decoders", "build_handler"]


def build_handler(
    book: Book, producer: Producer, kind_of: KindOf, now: Callable[[], datetime]
) -> Handle:
    """Return what the loop calls with each batch, in the batch's transaction."""

    async def publish(told: Sequence[Told]) -> None:
        hit(Point.ROWS_WRITTEN)
        topic = Topic.SCORED_RESPONSES
        await producer.send([Outgoing(topic, key.encode(), value) for key, value in told])

    async def handle(items: Sequence[Decoded], connection: AsyncConnection) -> None:
        sources = {item.value.id: _source(item.record) for item in items}
        ledger = await SqlLedger.begin(connection, book)
        at = now()
        to_scored = scored_by(kind_of, sources, at)
        await on_truths([item.value for item in items], ledger, publish, to_scored, at)
        for dimension, number in book.turned_away.items():
            TURNED_AWAY.labels(dimension).inc(number)
        book.turned_away.clear()

    return handle


def _source(record: Record) -> RecordRef:
    return RecordRef(topic=record.topic, partition=record.partition, offset=record.offset)
