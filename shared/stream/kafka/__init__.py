"""Kafka, as the services know it. Only this package imports aiokafka."""

from shared.stream.kafka.consumer import KafkaSource
from shared.stream.kafka.opening import open_source
from shared.stream.kafka.producer import KafkaProducer, open_producer
from shared.stream.kafka.reading import Reader, open_reader, read_all
from shared.stream.kafka.room import Room, open_room
from shared.stream.kafka.topics import cluster_id, create_topics, topic_faults
from shared.stream.kafka.widening import widen_topics

__all__ = [
    "KafkaProducer",
    "KafkaSource",
    "Reader",
    "Room",
    "cluster_id",
    "create_topics",
    "open_producer",
    "open_reader",
    "open_room",
    "open_source",
    "read_all",
    "topic_faults",
    "widen_topics",
]
