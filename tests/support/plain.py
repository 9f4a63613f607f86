"""The product's loop with a handler that cannot bear a record twice: it adds one, and that is all.

Only the offset's compare-and-set stands between it and a wrong count. Run as
`python -m tests.support.plain`.
"""

import asyncio
import json
import signal
from collections.abc import Sequence

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, start_http_server
from sqlalchemy.ext.asyncio import AsyncConnection

from shared import failpoints, logs
from shared.db import open_engine
from shared.failpoints import Point, hit
from shared.stream import Broker, Decoded, Pipeline, Record, StreamMetrics, consume
from shared.stream.kafka import cluster_id, open_producer, open_source
from shared.stream.pipeline import Handle
from tests.support.crew import COUNT_NAMED, Post, read_post


def decode(record: Record) -> str:
    return str(json.loads(record.value or b"")["id"])


def build_handler(idle: str) -> Handle:
    async def handle(items: Sequence[Decoded], connection: AsyncConnection) -> None:
        if idle:
            setting = f"SET LOCAL idle_in_transaction_session_timeout = '{idle}'"
            await connection.execute(sa.text(setting))
        ids = sorted(item.value for item in items)
        await connection.execute(sa.text(COUNT_NAMED), {"ids": ids})
        hit(Point.ROWS_WRITTEN)

    return handle


async def main(post: Post) -> None:
    logs.configure()
    failpoints.arm()
    registry = CollectorRegistry()
    metrics = StreamMetrics(registry)
    broker = Broker(
        post.bootstrap,
        await cluster_id(post.bootstrap),
        post.prefix,
        session_s=post.session_s,
    )
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with (
        open_engine(post.database_url, schema="public") as engine,
        open_producer(broker) as producer,
        open_source(broker, [post.topic], engine, metrics, group="plain") as source,
    ):
        start_http_server(post.port, addr="127.0.0.1", registry=registry)
        decoders, handle = {post.topic: decode}, build_handler(post.idle)
        pipeline = Pipeline("plain", engine, decoders, handle, producer, metrics)
        await consume(source, pipeline, stop)


if __name__ == "__main__":
    asyncio.run(main(read_post()))
