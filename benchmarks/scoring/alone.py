"""Scoring's pipeline, as its service wires it."""

from datetime import UTC, datetime

from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring.consumer import build_decoders, build_handler
from services.scoring.store import Book
from shared.stream import Pipeline, Producer, StreamMetrics

DECODERS = build_decoders(())


def pipeline_of(engine: AsyncEngine, producer: Producer) -> Pipeline:
    """Decode, record, count, and tell what was scored."""
    handle = build_handler(Book(), producer, lambda _: "transactional", lambda: datetime.now(UTC))
    metrics = StreamMetrics(CollectorRegistry())
    return Pipeline("scoring", engine, DECODERS, handle, producer, metrics)
