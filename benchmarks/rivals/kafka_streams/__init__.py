"""Kafka Streams under the contract of `benchmarks.scoring.contenders`, in two ways.

streams        every answer fanned out to its cells, repartitioned by cell, aggregated (the DSL)
streams-local  each partition of the answers counts its own cells; a reader adds them up
"""

from benchmarks.rivals.kafka_streams.build import command, version

__all__ = ["command", "version"]
