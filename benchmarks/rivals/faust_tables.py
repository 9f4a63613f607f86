"""Faust-streaming, exactly_once: sums in a table, its changelog and the offsets in transactions.

A table of memory, which a new life reads from the changelog: its RocksDB store is written before
the transaction ends, and would keep what was never committed. Each partition has its own keys, so
no answer has to go through Kafka 19 times more, once to the partition of each of its cells.
"""

import asyncio
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Final

import faust
from confluent_kafka import Consumer, TopicPartition

from benchmarks.rivals.cells import names_of, sums_of
from benchmarks.rivals.telling import Telling

COMMIT_S: Final = 1.0
SENT_S: Final = 0.01
BATCH: Final = 1_000
WAITING: Final = 10_000  # changes that wait to be sent; with the 100 of the default it crawls
PARTITIONS: Final = 12


class Commits(faust.Monitor):  # type: ignore[misc]
    """Tells of commits."""

    def __init__(self, told: Telling) -> None:
        super().__init__()
        self._told = told
        self.counted = 0

    def count(self, answers: int) -> None:
        self.counted += answers

    def on_commit_completed(self, consumer: Any, state: Any) -> None:
        super().on_commit_completed(consumer, state)
        self._told.committed(self.counted)


def main() -> None:
    told = Telling()
    commits = Commits(told)
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
        Monitor=lambda *_, **__: commits,
    )
    topic = app.topic(os.environ["TOPIC"], key_type=bytes, value_type=bytes)
    table = app.Table("cells", partitions=PARTITIONS, key_type=str)

    async def count(stream: Any) -> None:
        app.producer.buffer.max_messages = WAITING
        async for events in stream.take_events(BATCH, within=0.5):
            told.came()
            partition = events[-1].message.partition
            sums = summed(event.message.value for event in events)
            stream._set_current_event(events[-1])  # noqa: SLF001 - `take` leaves it to its own task
            for name, added in sums.items():
                key = f"{partition}|{name}"
                had = table.get(key)
                table[key] = [a + b for a, b in zip(had, added, strict=True)] if had else added
            while app.producer.buffer.size:  # a commit does not wait for changes not yet sent
                told.came()
                await asyncio.sleep(SENT_S)
            app.loop.call_later(SENT_S, commits.count, len(events))  # once they are acknowledged

    app.agent(topic, isolated_partitions=True)(count)
    worker = faust.Worker(app, loglevel="warn", console_port=0)

    async def end_when_idle(_: Any) -> None:
        await told.until_idle()
        worker.loop.call_soon(worker.loop.stop)

    app.task()(end_when_idle)
    with suppress(SystemExit):
        worker.execute_from_commandline()
    told.finish(standing(f"{os.environ['GROUP']}-cells-changelog"))


def summed(values: Iterable[bytes]) -> dict[str, list[int]]:
    """What these answers add to each cell."""
    sums: dict[str, list[int]] = {}
    for value in values:
        answer = json.loads(value)
        added = sums_of(answer["answers"]["score"])
        for name in names_of(answer):
            cell = sums.setdefault(name, [0] * 5)
            for place, number in enumerate(added):
                cell[place] += number
    return sums


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
                cells[json.loads(message.key() or b"")] = json.loads(message.value() or b"")
    consumer.close()
    for key, sums in cells.items():
        yield key.split("|", 3)[3], sums


if __name__ == "__main__":
    main()
