"""Tests that run on the mock and on a real Kafka.

`@on_both` stands in front of one that uses `broker`, `@whole_on_both` of one that starts the whole
system on `kafka`.
"""

import asyncio
import secrets

import pytest

from shared.embedded.kraft import Kraft
from shared.stream import Broker
from shared.stream.kafka import create_topics

MOCK_PARTITIONS = 4  # of a topic that the mock makes at its first use
REAL = pytest.param("real", marks=pytest.mark.real_kafka)
on_both = pytest.mark.parametrize("broker", ["mock", REAL], indirect=True)
whole_on_both = pytest.mark.parametrize("kafka", ["mock", REAL], indirect=True)
on_real = pytest.mark.parametrize("broker", [REAL], indirect=True)


def draw_prefix() -> str:
    """Topics and groups of this test's own."""
    return f"t{secrets.token_hex(4)}-"


def broker_on(kraft: Kraft, partitions: int = MOCK_PARTITIONS) -> Broker:
    """A real Kafka, with all topics under a prefix of their own. Not to be called in a loop."""
    prefix = draw_prefix()
    made = create_topics(kraft.bootstrap, prefix=prefix, replication=1, partitions=partitions)
    asyncio.run(made)
    return Broker(kraft.bootstrap, log=kraft.log, prefix=prefix)
