"""Create Kafka's topics, 12 partitions each with their retention, and check what is there."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from shared.events import PARTITIONS, Topic
from shared.launch import adopt_kafka
from shared.process import CannotStart
from shared.settings import KafkaSettings, SettingsFault, read_settings
from shared.stream import KafkaUnavailable
from shared.stream.kafka import create_topics, topic_faults, widen_topics


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m services topics", description=__doc__)
    parser.add_argument(
        "--replication",
        type=int,
        help="copies of each partition; default: 3, or as many as there are brokers",
    )
    parser.add_argument("--check", action="store_true", help="create nothing")
    parser.add_argument(
        "--partitions",
        type=int,
        default=0,
        help="give every topic so many, where it has fewer; then replace the services",
    )
    asked = parser.parse_args(arguments)
    if asked.partitions and (asked.check or asked.partitions < PARTITIONS):
        parser.error(f"--partitions: at least {PARTITIONS}, and not with --check")
    try:
        adopt_kafka()
        settings = read_settings(KafkaSettings)
        mock = settings.kafka_embedded  # it made them at its start
        return asyncio.run(_topics(settings, asked, check_only=asked.check or mock))
    except (CannotStart, SettingsFault) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KafkaUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return 1


async def _topics(settings: KafkaSettings, asked: argparse.Namespace, *, check_only: bool) -> int:
    where, prefix, security = (
        settings.kafka_bootstrap, settings.kafka_topic_prefix, settings.security
    )  # fmt: skip
    if settings.kafka_embedded and asked.partitions:
        raise CannotStart("the Kafka mock keeps its partitions; `make kafka` starts a real one")
    if not check_only:
        for name in await create_topics(
            where, prefix=prefix, replication=asked.replication, security=security
        ):
            print(f"created {name}")
    if asked.partitions:
        widened = await widen_topics(where, asked.partitions, prefix=prefix, security=security)
        for name, had in widened.items():
            print(f"{name}: {had} -> {asked.partitions} partitions")
    faults = await topic_faults(where, list(Topic), prefix=prefix, security=security)
    for fault in faults:
        sys.stderr.write(f"{fault}\n")
    print(f"{len(Topic) - len(faults)} of {len(Topic)} topics are as they should be")
    return 1 if faults else 0
