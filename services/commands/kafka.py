"""A real Apache Kafka on loopback, with its topics: started, found again, or stopped.

One node or several, in KRaft mode. Its jars come from Maven once (`.kafka/`), what it holds stays
under `var/kafka/`. Exits 3 where Java 17 or Maven is missing.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from typing import Final

from shared.embedded.files import Locked
from shared.embedded.kraft import Kraft, Options, ToolMissing, fetch, start_kraft, stop_kraft
from shared.embedded.processes import StartFailed
from shared.launch import KAFKA, var_folder
from shared.settings import PREFIX, read_variable
from shared.stream import KafkaUnavailable
from shared.stream.kafka import create_topics

_MOST_COPIES: Final = 3
_PATIENCE_S: Final = 30.0
_PAUSE_S: Final = 0.5


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m services kafka",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--nodes", type=int, choices=range(1, 6), help="default: as many as it has")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--stop", action="store_true", help="end it; what it holds stays")
    instead.add_argument("--fetch", action="store_true", help="fetch its jars, start nothing")
    asked = parser.parse_args(arguments)
    try:
        if asked.fetch:
            fetch()
            return 0
        return _stop() if asked.stop else _start(asked.nodes)
    except ToolMissing as missing:
        sys.stderr.write(f"{missing}\n")
        return 3
    except (StartFailed, Locked, KafkaUnavailable) as failed:
        sys.stderr.write(f"{failed}\n")
        return 1


def _stop() -> int:
    var = var_folder()
    print("stopped" if stop_kraft(var) else f"no Kafka runs under {var}/kafka/")
    return 0


def _start(nodes: int | None) -> int:
    kraft = start_kraft(var_folder(), Options(nodes=nodes))
    made = asyncio.run(_topics(kraft))
    number = len(kraft.nodes)
    print(
        f"Kafka runs on {kraft.bootstrap} ({number} node{'s' * (number > 1)}, cluster {kraft.log}, "
        f"everything under {var_folder()}/kafka/); {made} topics made.\n"
        f"\n  export {KAFKA}={kraft.bootstrap}\n\n"
        "and then\n"
        "  make run                            # on this Kafka and the embedded PostgreSQL\n"
        "  python -m services topics --check   # what it has\n"
        "  make stop                           # ends it too; what it holds stays"
    )
    return 0


async def _topics(kraft: Kraft) -> int:
    """How many were made; a node that has just started may not know its fellows yet."""
    copies = min(len(kraft.nodes), _MOST_COPIES)  # asked for: not all may have said hello yet
    prefix = read_variable(f"{PREFIX}KAFKA_TOPIC_PREFIX")
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return len(await create_topics(kraft.bootstrap, prefix=prefix, replication=copies))
        except KafkaUnavailable:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(_PAUSE_S)
