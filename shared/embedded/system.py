"""What `python -m services` starts when it is told of no PostgreSQL, or of no Kafka either."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from shared.embedded.files import hold_lock, prepare_folder
from shared.embedded.kafka import Kafka, running_kafka, start_kafka, stop_kafka
from shared.embedded.postgres import (
    DEFAULT,
    Options,
    Postgres,
    running_postgres,
    start_postgres,
    stop_postgres,
    was_killed,
)
from shared.embedded.processes import StartFailed, is_alive

log = structlog.get_logger()

LOCK_PATIENCE = 90.0  # seconds: another start, with a crash recovery in it


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """Where the embedded servers are; `kafka_log` names this life of the broker.

    Empty and 0 where there is no embedded broker, because Kafka is somebody else's.
    """

    database_url: str
    kafka_bootstrap: str
    kafka_log: str
    postgres_pid: int
    kafka_pid: int


def start_blocking(
    var: Path, topics: Mapping[str, int] | None, options: Options = DEFAULT
) -> Embedded:
    """Start or adopt both servers, at the same time; `topics` are name: partitions.

    PostgreSQL alone where `topics` is None: Kafka is somebody else's. Two starts at once wait for
    one another. Raises StartFailed, or Locked after 90 s.
    """
    var = prepare_folder(var)
    with hold_lock(var / "embedded.lock", patience=LOCK_PATIENCE), ThreadPoolExecutor(2) as pool:
        kafka = None if topics is None else pool.submit(start_kafka, var, topics)
        postgres = pool.submit(start_postgres, var, options)
        try:
            return _describe(postgres.result(), None if kafka is None else kafka.result())
        except OSError as fault:
            raise StartFailed(f"the embedded servers do not start under {var}: {fault}") from fault


def stop_blocking(var: Path) -> bool:
    """End both servers; say whether any ran. Doing it twice is no error."""
    if not var.is_dir():
        return False
    with (
        hold_lock(var / "embedded.lock", patience=LOCK_PATIENCE),
        ThreadPoolExecutor(2) as pool,
    ):
        kafka = pool.submit(stop_kafka, var)
        postgres = pool.submit(stop_postgres, var)
        return kafka.result() | postgres.result()


def running(var: Path) -> Embedded | None:
    """Return what runs under `var`, or None unless PostgreSQL does. Starts nothing."""
    postgres = running_postgres(var)
    return None if postgres is None else _describe(postgres, running_kafka(var))


async def start(
    var: Path, topics: Mapping[str, int] | None, options: Options = DEFAULT
) -> Embedded:
    return await asyncio.to_thread(start_blocking, var, topics, options)


async def stop(var: Path) -> bool:
    return await asyncio.to_thread(stop_blocking, var)


def build_watch(
    var: Path, embedded: Embedded, options: Options = DEFAULT, *, pause: float = 0.5
) -> Callable[[asyncio.Event], Coroutine[None, None, None]]:
    """Return a worker that brings PostgreSQL back, at its old port, when it was killed.

    What was stopped on purpose stays stopped, and a broker that died took its records along and
    would come back at another address: both end the worker with StartFailed.
    """

    async def watch(stop: asyncio.Event) -> None:
        while not stop.is_set():
            if embedded.kafka_pid and not is_alive(embedded.kafka_pid):
                raise StartFailed(
                    f"the embedded broker (process {embedded.kafka_pid}) ended; what was not yet "
                    "consumed is lost. Start again"
                )
            if running_postgres(var) is None:
                await _revive(var, options)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)

    return watch


async def _revive(var: Path, options: Options) -> None:
    if not was_killed(var):
        raise StartFailed(f"the PostgreSQL under {var} was stopped")
    log.warning("postgres was killed, starting it again", var=str(var))
    await asyncio.to_thread(_start_postgres_alone, var, options)


def _start_postgres_alone(var: Path, options: Options) -> Postgres:
    with hold_lock(var / "embedded.lock", patience=LOCK_PATIENCE):
        return start_postgres(var, options)


def _describe(postgres: Postgres, kafka: Kafka | None) -> Embedded:
    return Embedded(
        database_url=postgres.url,
        kafka_bootstrap=kafka.bootstrap if kafka else "",
        kafka_log=kafka.log if kafka else "",
        postgres_pid=postgres.pid,
        kafka_pid=kafka.pid if kafka else 0,
    )
