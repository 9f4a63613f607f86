"""Trigger's API on a database, without Kafka."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
from pydantic import SecretStr

from services.trigger.app import Core, build_trigger_web, open_core
from services.trigger.handlers import Desk, on_batch
from services.trigger.settings import TriggerSettings
from services.trigger.store.ledger import SqlLedger
from shared.clock import utc_now
from shared.events import Event, SurveyDecision
from shared.stream import Health
from tests.support.trigger import (
    CHANNELS,
    ROOT,
    arrival,
    call_ended,
    programme,
)
from tests.support.trigger_rig import TABLES


def settings(database_url: str, var: Path, **changes: Any) -> TriggerSettings:
    fields: dict[str, Any] = {
        "kafka_bootstrap": "127.0.0.1:1",
        "database_url": SecretStr(database_url),
        "token_keys": SecretStr("0123456789abcdef0123456789abcdef"),
        "programme": ROOT / "programme",
        "var": var,
    }
    return TriggerSettings(**{**fields, **changes})


async def no_topics() -> str | None:
    return None


def client_of(core: Core) -> httpx.AsyncClient:
    web = build_trigger_web(core, Health(), no_topics)
    return httpx.AsyncClient(transport=httpx.ASGITransport(web), base_url="http://trigger")


async def book(core: Core, *events: Event, **changes: Any) -> None:
    async def publish(decisions: Sequence[SurveyDecision]) -> None: ...

    desk = Desk(programme(**changes), CHANNELS, utc_now())
    async with core.engine.begin() as connection:
        arrivals = [arrival(event) for event in events]
        await on_batch(arrivals, [], SqlLedger(connection), publish, desk)


def call(number: int = 1, **data: Any) -> Event:
    return call_ended(number, at=utc_now() - timedelta(seconds=1), **data)


def structured(event: Event, **changes: Any) -> dict[str, Any]:
    envelope = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "time": event.time.isoformat(),
        "data": event.data,
    }
    return {**envelope, **changes}


@asynccontextmanager
async def opened_core(database_url: str, var: Path) -> AsyncIterator[Core]:
    """Everything but Kafka, on empty tables."""
    async with AsyncExitStack() as stack:
        core = await open_core(settings(database_url, var), stack)
        async with core.engine.begin() as connection:
            await connection.execute(sa.text(f"TRUNCATE {TABLES}"))
        yield core
