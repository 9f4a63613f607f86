"""A backlog is taken from all partitions alike: none runs hours ahead of the others."""

import asyncio
from collections import defaultdict

from prometheus_client import CollectorRegistry

from shared.db import open_engine
from shared.stream import Broker, Outgoing, StreamMetrics
from shared.stream.kafka import open_producer, open_source
from tests.support.kafka import MOCK_PARTITIONS, on_both
from tests.support.stream import make_tables

TOPIC = "survey-responses"
EACH = 2_000  # of a partition: as many as a poll brings in all


@on_both
async def test_no_partition_runs_ahead_of_the_others(
    broker: Broker, empty_database_url: str
) -> None:
    backlog = {number: range(EACH) for number in range(MOCK_PARTITIONS)}
    async with open_producer(broker) as producer:
        for number, values in backlog.items():
            await producer.send([Outgoing(TOPIC, b"k", b"%d" % n, (), number) for n in values])
    taken: dict[int, list[int]] = defaultdict(list)
    leads = []
    async with open_engine(empty_database_url, schema="public") as engine:
        await make_tables(engine)
        metrics = StreamMetrics(CollectorRegistry())
        async with (
            open_source(broker, [TOPIC], engine, metrics, group="earshot-test") as source,
            asyncio.timeout(20),
        ):
            while sum(map(len, taken.values())) < EACH * MOCK_PARTITIONS:
                for record in await source.poll(0.2):
                    taken[record.partition].append(int(record.value or b""))
                counts = [len(taken[number]) for number in backlog]
                leads.append(max(counts) - min(counts))

    assert taken == {number: list(values) for number, values in backlog.items()}
    assert max(leads) <= EACH // 2  # emptied one after another, all of the first
