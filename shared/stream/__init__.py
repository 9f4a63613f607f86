"""Exactly-once effect: Kafka in, one transaction a poll, Kafka out."""

from shared.stream.loop import consume
from shared.stream.metrics import StreamMetrics
from shared.stream.offsets import Offsets
from shared.stream.pipeline import Health, Pipeline, Producer, Source, Worker
from shared.stream.records import (
    Broker,
    Decoded,
    KafkaUnavailable,
    Outgoing,
    Partition,
    Record,
)

__all__ = [
    "Broker",
    "Decoded",
    "Health",
    "KafkaUnavailable",
    "Offsets",
    "Outgoing",
    "Partition",
    "Pipeline",
    "Producer",
    "Record",
    "Source",
    "StreamMetrics",
    "Worker",
    "consume",
]
