"""Show the records that could not be processed: why, which field, where they stood."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import Final

from shared.events import Topic
from shared.launch import KAFKA, adopt_running
from shared.process import CannotStart
from shared.settings import PREFIX, read_variable
from shared.stream import KafkaUnavailable, Record
from shared.stream.kafka import read_all

_SHOWN: Final = 120


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m services deadletters", description=__doc__)
    parser.add_argument("--values", action="store_true", help="show the start of each value too")
    asked = parser.parse_args(arguments)
    try:
        adopt_running()
        return asyncio.run(_show(values=asked.values))
    except (CannotStart, KafkaUnavailable) as error:
        sys.stderr.write(f"{error}\n")
        return 2


async def _show(*, values: bool) -> int:
    prefix = read_variable(f"{PREFIX}KAFKA_TOPIC_PREFIX")
    records = await read_all(read_variable(KAFKA), f"{prefix}{Topic.DEAD_LETTERS}")
    for record in records:
        print(_line(record))
        if values:
            print(f"    {(record.value or b'')[:_SHOWN]!r}")
    print(f"{len(records)} dead letters")
    return 0


def _line(record: Record) -> str:
    said = {name: value.decode(errors="replace") for name, value in record.headers}
    return (
        f"{said.get('earshot-failed-at')} {said.get('earshot-service')}"
        f" {said.get('earshot-topic')}/{said.get('earshot-partition')}"
        f"@{said.get('earshot-offset')} {said.get('earshot-reason')}: {said.get('earshot-detail')}"
    )
