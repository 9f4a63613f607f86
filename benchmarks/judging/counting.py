"""Counting beside fetching and decoding the same answers, on a real Kafka, in turns."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing import get_context

import uvloop
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.draining import Taken, joined, keep_places, measured, until_decoded
from benchmarks.judging.answers import LATTICE, Feed
from benchmarks.servers import Servers
from benchmarks.spent import Meter
from services.alerts.consumer import build_decoders, build_handler
from shared.events import Topic
from shared.stream import Broker, Outgoing, Pipeline, Source, StreamMetrics, consume
from shared.stream.kafka import open_producer

TOPICS = (Topic.SCORED_RESPONSES,)
SENT_AT_ONCE = 4_000


def write_answers(broker: Broker, feed: Feed, answers: int) -> None:
    """Write the next answers of a feed; a process of its own."""
    uvloop.run(_write_answers(broker, feed, answers))


async def _write_answers(broker: Broker, feed: Feed, answers: int) -> None:
    taken = feed.take(answers)
    records = [Outgoing(record.topic, record.key or b"", record.value) for record in taken]
    async with open_producer(broker) as producer:
        for first in range(0, answers, SENT_AT_ONCE):
            await producer.send(records[first : first + SENT_AT_ONCE])


async def counting_rounds(
    where: Servers, engine: AsyncEngine, feed: Feed, answers: int, rounds: int
) -> Sequence[tuple[Taken, Taken]]:
    """Rounds of so many answers: fetched and decoded, then counted; groups stay where they are."""
    meter, found = Meter(where.var), []
    decoders = build_decoders(LATTICE)
    async with open_producer(where.broker) as producer:
        handle, metrics = build_handler(where.broker.log), StreamMetrics(CollectorRegistry())
        pipeline = Pipeline("alerts", engine, decoders, handle, producer, metrics)
        for number in range(rounds):
            await _fill(where.broker, replace(feed, first=number * answers), answers)
            async with joined(where.broker, engine, f"bare-{feed.stores}", TOPICS) as source:
                bare = await measured(
                    meter, answers, lambda: until_decoded(source, decoders, answers)
                )
                await keep_places(source)
            async with joined(where.broker, engine, f"counts-{feed.stores}", TOPICS) as source:
                counted = await measured(
                    meter, answers, lambda: _until_counted(source, pipeline, answers)
                )
            found.append((bare, counted))
            print(f"{number} {bare}\n  {counted}", flush=True)
    return found


async def _fill(broker: Broker, feed: Feed, answers: int) -> None:
    writer = get_context("spawn").Process(target=write_answers, args=(broker, feed, answers))
    writer.start()
    await asyncio.to_thread(writer.join)
    if writer.exitcode:
        raise SystemExit("the answers could not be written")


async def _until_counted(source: Source, pipeline: Pipeline, answers: int) -> float:
    stop, upto = asyncio.Event(), sum(source.next_of.values()) + answers

    def note() -> None:
        if sum(source.next_of.values()) >= upto:
            stop.set()

    await consume(source, replace(pipeline, after_commit=note), stop)
    return 0.0
