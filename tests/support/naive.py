"""A deliberately naive consumer, kept as a negative control: the harness must catch it.

It trusts the offsets that Kafka commits for it: no place in the database, no compare-and-set, no
seek, nothing that knows a record again. Run as `python -m tests.support.naive`.
"""

import asyncio
import json
import os

import asyncpg
from aiokafka import AIOKafkaConsumer
from prometheus_client import start_http_server

from tests.support.crew import COUNT, Post, read_post
from tests.support.tally import connect

CHUNK = 20


async def count(consumer: AIOKafkaConsumer, connection: asyncpg.Connection) -> None:
    while True:
        fetched = await consumer.getmany(timeout_ms=200, max_records=2_000)
        records = [record for batch in fetched.values() for record in batch]
        for first in range(0, len(records), CHUNK):
            chunk = records[first : first + CHUNK]
            ids = sorted(json.loads(record.value)["id"] for record in chunk)
            await connection.execute(COUNT, ids)
            await asyncio.sleep(0.03)  # what a handler does besides


async def main(post: Post) -> None:
    connection = await connect(post.database_url)
    consumer = AIOKafkaConsumer(
        f"{post.prefix}{post.topic}",
        bootstrap_servers=post.bootstrap,
        group_id=f"{post.prefix}naive",
        enable_auto_commit=True,
        auto_commit_interval_ms=int(os.environ["NAIVE_COMMIT_MS"]),
        auto_offset_reset="earliest",
        session_timeout_ms=int(post.session_s * 1000),
        heartbeat_interval_ms=int(post.session_s * 1000 / 6),
    )
    await consumer.start()
    start_http_server(post.port, addr="127.0.0.1")
    try:
        await count(consumer, connection)
    finally:
        await consumer.stop()
        await connection.close()


if __name__ == "__main__":
    asyncio.run(main(read_post()))
