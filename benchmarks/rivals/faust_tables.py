"""Faust-streaming, exactly_once: sums in a table, its changelog and the offsets in transactions.

A table of memory, which a new life reads from the changelog: its RocksDB store is written before
the transaction ends, and would keep what was never committed. Each partition has its own keys, so
no answer has to go through Kafka 19 times more, once to the partition of each of its cells.
"""

import asyncio
import json
import os
from collections.abc import Iterator
from typing import Any, Final

import faust
from confluent_kafka import Consumer, TopicPartition

from benchmarks.rivals.cells import names_of, sums_of
from benchmarks.rivals.telling import Telling

COMMIT_S: Final = 1.0
PARTITIONS: Final = 12


class Commits(faust.Monitor):  # type: ignore[misc]
    """Tells of commits."""

    def __init__(self, told: Telling, places: dict[int, int]) -> None:
        super().__init__()
        self._told, self._places = told, places

    def on_commit_completed(self, consumer: Any, state: Any) -> None:
        super().on_commit_completed(consumer, state)
        if self._places:
            self._told.committed(sum(self._places.values()))


def main() -> None:
    told, places = Telling(), dict[int, int]()
    app = faust.App(
        os.environ["GROUP"],
        broker=f"kafka://{os.environ['BOOTSTRAP']}",
        store="memory://",
        processing_guarantee="exactly_once",
        broker_commit_interval=COMMIT_S,
        broker_session_timeout=6.0,
        broker_heartbeat_interval=2.0,
        broker_max_poll_records=2_000,
        consumer_auto_offset_reset="earliest",
        topic_partitions=PARTITIONS,
        topic_replication_factor=1,
        datadir=os.environ["FOLDER"],
        web_enabled=False,
        worker_redirect_stdouts=False,
        Monitor=lambda *_, **__: Commits(told, places),
    )
    topic = app.topic(os.environ["TOPIC"], key_type=bytes, value_type=bytes)
    table = app.Table("cells", partitions=PARTITIONS, key_type=str, value_type=list)

    async def count(stream: Any) -> None:
        async for event in stream.events():
            message = event.message
            told.came()
            answer = json.loads(message.value)
            added = sums_of(answer["answers"]["score"])
            for name in names_of(answer):
                key = f"{message.partition}|{name}"
                had = table.get(key)
                table[key] = [a + b for a, b in zip(had, added, strict=True)] if had else added
            places[message.partition] = message.offset + 1

    app.agent(topic)(count)
    worker = faust.Worker(app, loglevel="warn", console_port=0)

    async def end_when_idle(_: Any) -> None:
        while not told.idle:
            await asyncio.sleep(0.2)
        worker.loop.call_soon(worker.loop.stop)

    app.task()(end_when_idle)
    try:
        worker.execute_from_commandline()
    except SystemExit:
        pass
    told.finish(standing(f"{os.environ['GROUP']}-cells-changelog"))


def standing(changelog: str) -> Iterator[tuple[str, list[int]]]:
    """What was committed to the changelog last, of every cell."""
    consumer = Consumer(
        {
            "bootstrap.servers": os.environ["BOOTSTRAP"],
            "group.id": "counting",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(changelog, number, 0) for number in range(PARTITIONS)])
    cells: dict[str, list[int]] = {}
    open_ones = PARTITIONS
    while open_ones:
        for message in consumer.consume(10_000, 1.0):
            if message.error() is not None:
                open_ones -= 1
            else:
                cells[json.loads(message.key())] = json.loads(message.value())
    consumer.close()
    for key, sums in cells.items():
        yield key.split("|", 3)[3], sums


if __name__ == "__main__":
    main()
