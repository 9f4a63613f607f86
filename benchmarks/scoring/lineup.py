"""Who is compared, and what starts each of them."""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

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


def _streams() -> Sequence[str]:
    try:
        found: Sequence[str] = import_module("benchmarks.rivals.kafka_streams").command()
    except ModuleNotFoundError as missing:
        raise Missing(str(missing)) from None
    return found


LINEUP: Final = (
    Contender("bare", "fetch and decode, nothing else", _ours("bare"), 200_000, counts=False),
    Contender("scoring", "Earshot, into PostgreSQL", _ours("scoring"), 100_000),
    Contender("plain", "FastStream, SQLAlchemy, a row at a time", _rival("plain"), 2_000),
    Contender("quix", "Quix Streams, its own store", _rival("quix"), 20_000),
    Contender("faust", "Faust-streaming, its own tables", _rival("faust_tables"), 5_000),
    Contender("streams", "Kafka Streams, exactly_once_v2", _streams, 200_000),
)
