"""Start all four services in one process, with the embedded servers where none are named."""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Final, TypeVar

import psutil
import structlog

from services.alerts.app import open_service as open_alerts
from services.alerts.settings import AlertsSettings
from services.commands.client import open_client
from services.ingest.app import open_service as open_ingest
from services.ingest.settings import IngestSettings
from services.scoring.app import open_service as open_scoring
from services.scoring.settings import ScoringSettings
from services.trigger.app import open_service as open_trigger
from services.trigger.settings import TriggerSettings
from shared import failpoints, logs
from shared.broker import find_broker
from shared.db import SCHEMAS
from shared.embedded.files import Locked, hold_lock, prepare_folder
from shared.embedded.processes import StartFailed
from shared.embedded.system import Embedded, build_watch, start, stop
from shared.events import PARTITIONS, Topic
from shared.launch import (
    DATABASE,
    KAFKA,
    has_databases,
    is_set,
    names_a_database,
    point_at_database,
    point_at_kafka,
    say_settings,
    say_whether_open,
    var_folder,
)
from shared.migrating import migrate
from shared.process import CannotStart, Service, listen, run
from shared.process import main as run_process
from shared.settings import PREFIX, Settings, read_settings, read_variable
from shared.stream.kafka import open_room

_log = structlog.get_logger()

_LOOK_S: Final = 0.1
S = TypeVar("S", bound=Settings)
SETTINGS: Final[tuple[type[Settings], ...]] = (
    IngestSettings,
    ScoringSettings,
    TriggerSettings,
    AlertsSettings,
)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m services run", description=__doc__)
    parser.parse_args(arguments)
    run_process(_run)
    return 0


async def _run() -> None:
    logs.configure(read_variable(f"{PREFIX}LOG_LEVEL", "info"))
    failpoints.arm()
    async with AsyncExitStack() as stack:
        embedded, backlog = None, Backlog()
        if not (is_set(KAFKA) and has_databases()):
            embedded = await stack.enter_async_context(_embedded(backlog))
        say_whether_open(read_settings(IngestSettings))
        services = [await stack.enter_async_context(opened) for opened in _opened()]
        if embedded is not None:
            first = services[0]
            watch = build_watch(var_folder(), embedded)
            services[0] = Service(
                first.name, first.web, first.host, first.port, [*first.workers, watch]
            )

        async def say() -> None:
            async with open_client() as client:
                while await client.ready():  # noqa: ASYNC110 - other processes have no Event
                    await asyncio.sleep(_LOOK_S)
            _say(services, embedded, time.time() - psutil.Process().create_time())

        mock = embedded is not None and bool(embedded.kafka_bootstrap)
        drain = backlog.drain if mock else None
        await run(services, on_ready=say, drain=drain, alone=embedded is None)


class Backlog:
    """What the embedded broker holds that nobody has taken yet: it would be lost with it."""

    def __init__(self) -> None:
        self.left = 0

    async def drain(self) -> None:
        """Return when the consumers have taken everything."""
        broker = await find_broker(read_settings(IngestSettings))
        async with open_room(broker, wait_s=0) as room:
            while room is not None:
                self.left = await room.waiting()
                if not self.left:
                    return
                await asyncio.sleep(_LOOK_S)


@asynccontextmanager
async def _embedded(backlog: Backlog) -> AsyncIterator[Embedded]:
    """What nobody named, adopted or started; stopped after the services have drained.

    A mock that still holds what nobody has taken stays up, for the next start to adopt.
    """
    if names_a_database():
        raise CannotStart(
            f"Set both {KAFKA} and {DATABASE} (or one for each service), {KAFKA} alone for the "
            "embedded PostgreSQL, or neither for the embedded default."
        )
    var = prepare_folder(var_folder())
    topics = None if is_set(KAFKA) else dict.fromkeys(topic_names(), PARTITIONS)
    try:
        with hold_lock(var / "services.lock"):
            _check_ports()
            embedded = await start(var, topics)
            if topics is not None:
                point_at_kafka(embedded.kafka_bootstrap, embedded.kafka_log, mock=True)
            point_at_database(embedded.database_url)
            await _migrate(embedded.database_url)
            try:
                yield embedded
            finally:
                if backlog.left:
                    _log.warning("the embedded servers stay up", not_consumed=backlog.left)
                else:
                    await stop(var)
    except Locked as held:
        raise CannotStart(
            f"Earshot runs already under {var} (process {held.pid}); `make stop` ends it."
        ) from None
    except StartFailed as failed:
        raise CannotStart(str(failed)) from failed


def topic_names() -> list[str]:
    """Every topic, under the deployment's prefix."""
    prefix = read_variable(f"{PREFIX}KAFKA_TOPIC_PREFIX")
    return [f"{prefix}{topic}" for topic in Topic]


def _check_ports() -> None:
    """Say that a port is taken before anything is started for nothing."""
    for service, port in (("ingest", 8001), ("scoring", 8002), ("trigger", 8003), ("alerts", 8004)):
        chosen = int(read_variable(f"{PREFIX}{service.upper()}_PORT", str(port)))
        listen(read_variable(f"{PREFIX}HOST", "127.0.0.1"), chosen, service).close()


async def _migrate(url: str) -> None:
    for service in SCHEMAS:
        await asyncio.to_thread(migrate, url, service)


def _opened() -> list[AbstractAsyncContextManager[Service]]:
    return [
        open_ingest(_read(IngestSettings)),
        open_scoring(_read(ScoringSettings)),
        open_trigger(_read(TriggerSettings)),
        open_alerts(_read(AlertsSettings)),
    ]


def _read(model: type[S]) -> S:
    settings = read_settings(model)
    say_settings(settings)
    return settings


def _say(services: Sequence[Service], embedded: Embedded | None, seconds: float) -> None:
    lines = [f"Earshot is ready ({seconds:.1f} s). Ctrl-C or `make stop` ends it."]
    lines += [
        f"  {service.name:<9}http://{service.host}:{service.port}/docs" for service in services
    ]
    if embedded is not None and embedded.kafka_bootstrap:
        lines.append(
            f"  embedded PostgreSQL and a Kafka mock; everything is under {var_folder()}/.\n"
            "  This mode is for trying out, tests and demos: a reboot loses what was not consumed."
        )
    elif embedded is not None:
        lines.append(
            f"  embedded PostgreSQL under {var_folder()}/, Kafka at {read_variable(KAFKA)}"
        )
    sys.stdout.write("\n".join([*lines, ""]))
    sys.stdout.flush()
