"""Who is compared, and what starts each of them."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.rivals.kafka_streams import command as kafka_streams
from benchmarks.rivals.kafka_streams import version as streams_version
from benchmarks.scoring.contenders import Contender, Missing

_RIVALS: Final = Path(".rivals") / "bin" / "python"


def _ours(name: str) -> Callable[[], Sequence[str]]:
    return lambda: [sys.executable, "-m", "benchmarks.scoring.ours", name]


def _rival(name: str) -> Callable[[], Sequence[str]]:
    def command() -> Sequence[str]:
        if not _RIVALS.exists():
            raise Missing("no .rivals/: `make .rivals/.installed` installs it from its lock")
        return [str(_RIVALS), "-m", f"benchmarks.rivals.{name}"]

    return command


_NOTE: Final = (
    "plain: one consumer, ON CONFLICT for the answer, one upsert for the rows of its 19 cells,"
    " offset committed after each answer; quix: exactly-once, commit_interval 1 s, a"
    " transactional.id that outlives it, one state a partition; faust: exactly_once, memory"
    " tables with changelogs, commit interval 1 s, isolated partitions, batches of 1,000 by"
    " take_events, each sent before it is acknowledged; streams: Kafka Streams {streams},"
    " 2 threads, a cache of 64 MB, commit interval 100 ms, lz4, heap 512 MB; own stores keep no"
    " answers, only cells. Versions: {locked}."
)
_NAMED: Final = (
    "faststream",
    "sqlalchemy",
    "asyncpg",
    "quixstreams",
    "faust-streaming",
    "aiokafka",
)


def note() -> str:
    """How the rivals are set, and their versions: those of their lock and of the Maven file."""
    lines = Path("requirements-rivals.lock").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split(" ")[0].split("==") for line in lines if "==" in line.split(" ")[0])
    locked = ", ".join(f"{name} {pinned[name]}" for name in _NAMED)
    return _NOTE.format(streams=streams_version(), locked=locked)


LINEUP: Final = (
    Contender("bare", "fetch and decode, nothing else", _ours("bare"), 200_000, counts=False),
    Contender("scoring", "Earshot, into PostgreSQL", _ours("scoring"), 100_000),
    Contender("plain", "FastStream, SQLAlchemy, a row at a time", _rival("plain"), 2_000),
    Contender("quix", "Quix Streams, its own store", _rival("quix"), 20_000),
    Contender("faust", "Faust-streaming, its own tables", _rival("faust_tables"), 5_000),
    Contender(
        "streams", "Kafka Streams, exactly_once_v2", partial(kafka_streams, "streams"), 200_000
    ),
    Contender(
        "streams-local",
        "the same, cells summed by partition",
        partial(kafka_streams, "streams-local"),
        200_000,
    ),
)
