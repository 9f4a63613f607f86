"""Quix Streams, exactly-once: sums in its RocksDB store, changelogs and offsets in transactions.

Each partition keeps the cells of its own answers, all under one key, and they are added up when
they are read. The documented `group_by` of each of 19 cells would send every answer through Kafka
19 times more: a partition's own store spares that, as the processors of Kafka Streams do.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import orjson
from quixstreams import Application, State
from quixstreams.checkpointing import Checkpoint
from quixstreams.models import Deserializer
from quixstreams.state.rocksdb import RocksDBStorePartition

from benchmarks.rivals.cells import names_of, sums_of
from benchmarks.rivals.telling import IDLE_S, Telling

COMMIT_S: Final = 1.0
NONE: Final = [0] * 5
KEY: Final = "all"


class OneKey(Deserializer):  # type: ignore[misc]
    """Every record has the same key, so all cells of a partition are in one state."""

    def __call__(self, value: bytes, ctx: Any) -> str:
        return KEY


def count(answer: dict[str, Any], state: State) -> None:
    """Add one answer to its cells."""
    added = sums_of(answer["answers"]["score"])
    for name in names_of(answer):
        had = state.get(name, NONE)
        state.set(name, [one + more for one, more in zip(had, added, strict=True)])


def main() -> None:
    told, places = Telling(), dict[int, int]()
    folder, group = Path(os.environ["FOLDER"]), os.environ["GROUP"]

    def processed(topic: str, partition: int, offset: int) -> None:
        places[partition] = offset + 1
        told.came()

    app = Application(
        broker_address=os.environ["BOOTSTRAP"],
        consumer_group=group,
        processing_guarantee="exactly-once",
        commit_interval=COMMIT_S,
        auto_offset_reset="earliest",
        state_dir=folder / "state",
        on_message_processed=processed,
        # a name of its own lets the next life end what a killed one had begun
        producer_extra_config={"transactional.id": group, "linger.ms": 20},
        consumer_extra_config={"session.timeout.ms": 6_000, "heartbeat.interval.ms": 2_000},
        loglevel="WARNING",
    )
    commit = Checkpoint.commit

    def committed(checkpoint: Checkpoint, **how: Any) -> None:
        commit(checkpoint, **how)
        told.committed(sum(places.values()))

    Checkpoint.commit = committed  # there is no callback for it
    topic = app.topic(os.environ["TOPIC"], key_deserializer=OneKey(), value_deserializer="json")
    app.dataframe(topic).update(count, stateful=True)
    app.run(timeout=IDLE_S, collect=False)
    told.finish(standing(folder / "state"))


def standing(state: Path) -> Iterator[tuple[str, list[int]]]:
    """The cells of every partition, as its store holds them."""
    prefix = orjson.dumps(KEY) + b"|"
    for found in sorted(state.rglob("CURRENT")):
        partition = RocksDBStorePartition(str(found.parent))
        for key, value in partition.iter_items(prefix, prefix + b"\xff"):
            name = str(orjson.loads(key.removeprefix(prefix)))
            yield name.split("|", 2)[2], orjson.loads(value)
        partition.close()


if __name__ == "__main__":
    main()
