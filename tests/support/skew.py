"""Clocks that are wrong: processes that libfaketime tells another time."""

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.embedded.postgres import start_postgres, stop_postgres
from tests.support.fleet import Replica
from tests.support.ground import DURABLE, Ground
from tests.support.tally import connect


def library() -> Path:
    """libfaketime of Debian's; without it a test is skipped, and in CI it fails."""
    found = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if found is None:
        missing = "libfaketime is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    return found


def told(offset: timedelta, zone: str = "UTC") -> dict[str, str]:
    """The environment of a process whose clock is off by so much, in a zone of its own."""
    return {
        "LD_PRELOAD": str(library()),
        "FAKETIME": f"{offset.total_seconds():+.3f}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
        "TZ": zone,
    }


def shown_off(replica: Replica) -> timedelta:
    """How far its clock is from the kernel's: its last log line says when it was written."""
    said = [line for line in replica.log().splitlines() if line.startswith("{")]
    written = datetime.fromtimestamp(replica.log_path.stat().st_mtime, UTC)
    return datetime.fromisoformat(json.loads(said[-1])["ts"]) - written


def is_off(replica: Replica, offset: timedelta) -> bool:
    """Whether its clock is as wrong as it was to be."""
    return abs(shown_off(replica) - offset) < timedelta(minutes=2)


@contextmanager
def open_elsewhen(ground: Ground, var: Path, at: datetime) -> Iterator[tuple[Ground, timedelta]]:
    """The same Kafka with a PostgreSQL of its own, whose clock shows `at` now; and its offset."""
    offset = at - datetime.now(UTC)
    before = dict(os.environ)
    elsewhen = Ground(var)
    elsewhen.kafka = ground.kafka
    os.environ.update(told(offset))
    try:
        elsewhen.postgres = start_postgres(var, DURABLE)
    finally:
        os.environ.clear()
        os.environ.update(before)
    try:
        elsewhen.prepare()
        assert abs(asyncio.run(_time_of(elsewhen)) - at) < timedelta(minutes=2)
        yield elsewhen, offset
    finally:
        stop_postgres(var)


async def _time_of(ground: Ground) -> datetime:
    connection = await connect(ground.postgres.url)
    try:
        at: datetime = await connection.fetchval("SELECT clock_timestamp()")
        return at
    finally:
        await connection.close()
