"""Apache Kafka itself, in KRaft mode on loopback: what `make kafka` and the fault tests run.

Its jars come from Maven Central once and lie in `.kafka/`; nodes, ports and logs live in
`var/kafka/` and outlast a kill -9 of a broker.
"""

from shared.embedded.kraft.cluster import (
    ONE_NODE,
    Kraft,
    Options,
    running_kraft,
    start_kraft,
    stop_kraft,
)
from shared.embedded.kraft.jars import ToolMissing, fetch
from shared.embedded.kraft.node import Node

__all__ = [
    "ONE_NODE",
    "Kraft",
    "Node",
    "Options",
    "ToolMissing",
    "fetch",
    "running_kraft",
    "start_kraft",
    "stop_kraft",
]
