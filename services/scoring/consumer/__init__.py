"""Kafka comes in: one poll is one transaction, what it sends is acknowledged before the commit."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from services.scoring.consumer.records import build_decoders
from services.scoring.domain.answers import Truth
from services.scoring.domain.decisions import Decision
from services.scoring.handlers import KindOf, Told, on_truths, scored_by
from services.scoring.metrics import TOO_LATE, TURNED_AWAY
from services.scoring.store import Book, SqlLedger
from shared.events import RecordRef, Topic
from shared.failpoints import Point, hit
from shared.stream.pipeline import Handle, Producer
from shared.stream.records import Decoded, Outgoing, Record
from shared.stream.traced import trace_in, with_trace

__all__ = ["DECISIONS_KEPT", "build_decoders", "build_handler"]
DECISIONS_KEPT: Final = timedelta(days=90)


def build_handler(
    book: Book,
    producer: Producer,
    kind_of: KindOf,
    now: Callable[[], datetime],
    decisions_kept: timedelta = DECISIONS_KEPT,
) -> Handle:
    """Return what the loop calls with each batch, in the batch's transaction.

    A decision older than `decisions_kept` is counted nowhere: it cannot be told from a repeat.
    """

    async def publish(followed: Mapping[str, str], told: Sequence[Told]) -> None:
        hit(Point.ROWS_WRITTEN)
        topic = Topic.SCORED_RESPONSES
        await producer.send(
            [
                Outgoing(topic, key.encode(), value, with_trace((), followed.get(key)))
                for key, value in told
            ]
        )

    async def handle(items: Sequence[Decoded], connection: AsyncConnection) -> None:
        at = now()
        answers = [item for item in items if isinstance(item.value, Truth)]
        decisions = [item.value for item in items if isinstance(item.value, Decision)]
        known = [one for one in decisions if one.decided_at >= at - decisions_kept]
        TOO_LATE.inc(len(decisions) - len(known))
        sources = {item.value.id: _source(item.record) for item in answers}
        ledger = await SqlLedger.begin(connection, book)
        to_scored = scored_by(kind_of, sources, at)
        truths = [item.value for item in answers]
        telling = partial(publish, _followed(answers))
        await on_truths(truths, ledger, telling, to_scored, at, known)
        for dimension, number in book.turned_away.items():
            TURNED_AWAY.labels(dimension).inc(number)
        book.turned_away.clear()

    return handle


def _source(record: Record) -> RecordRef:
    return RecordRef(topic=record.topic, partition=record.partition, offset=record.offset)


def _followed(answers: Sequence[Decoded]) -> Mapping[str, str]:
    """Answer to its trace: the reply's own, or that of the invitation which changed it."""
    found: dict[str, str] = {}
    for record, truth in answers:
        trace = trace_in(record.headers) if record.headers else None
        if trace is not None and (truth.reply is not None or truth.id not in found):
            found[truth.id] = trace
    return found
