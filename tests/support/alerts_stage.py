"""Alerts that wait to be told, destinations that tell them, and a clock that is ours."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.domain.alerts import Alert, Change
from services.alerts.domain.cases import Case, Docket
from services.alerts.store.alerts import write_docket
from services.alerts.store.outbox import Outbox
from services.alerts.worker.delivering import Delivering
from services.alerts.worker.tellers import Means, build_tellers
from shared.db import open_engine
from shared.keys import KeyFile
from shared.metrics import Registry
from shared.programme.alarms import Destination
from shared.senders.webhook import open_client
from shared.stream.records import KafkaUnavailable, Outgoing
from shared.web import Parts, build_web
from tests.support.alerts import an_alert
from tests.support.receivers import Receiver, open_receiver

SECRET = "whsec_" + "c2VjcmV0" * 4
NOON = datetime.now(UTC).replace(microsecond=0)  # a webhook's receiver looks at the wall clock


class Stage:
    """The outbox with destinations whose clock is ours."""

    def __init__(self, engine: AsyncEngine, client: httpx.AsyncClient) -> None:
        self.engine = engine
        self.client = client
        self.now = NOON
        self.outbox = Outbox(engine)
        self.deliverings: dict[str, Delivering] = {}

    def clock(self) -> datetime:
        return self.now

    def add(self, name: str, url: str, kind: str) -> Delivering:
        means = Means(
            client=self.client,
            clock=self.clock,
            base="http://alerts",
            within=timedelta(seconds=25),
            webhook_secret=SECRET,
            slack_url=lambda _: url,
        )
        there = "" if kind == "slack" else url
        named = {name: Destination.model_validate({"kind": kind, "url": there})}
        (self.deliverings[name],) = build_tellers(named, means, self.outbox)
        return self.deliverings[name]

    async def tell(self, *changes: tuple[Alert, Change]) -> None:
        docket = Docket()
        for alert, change in changes:
            docket.put(Case(alert, (0,), 1, alert.n, alert.severity), change)
        ways = {name: one.courier.way for name, one in self.deliverings.items()}
        async with self.engine.begin() as connection:
            await write_docket(connection, docket, ways)

    async def states(self) -> list[tuple[str, str, int]]:
        async with self.engine.connect() as connection:
            rows = await connection.exec_driver_sql(
                "SELECT destination, state, attempts FROM deliveries ORDER BY 1, revision"
            )
            return [tuple(row) for row in rows]


@pytest.fixture
async def stage(fresh_database_url: str) -> AsyncIterator[Stage]:
    async with (
        open_engine(fresh_database_url, schema="alerts") as engine,
        open_client(timeout_s=2) as client,
    ):
        yield Stage(engine, client)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with open_receiver() as receiver:
        yield receiver


@asynccontextmanager
async def asked_over_http(*routers: APIRouter) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a web application of these routers."""
    web = build_web(
        "alerts", routers=routers, parts=Parts(), registry=Registry(), keys=KeyFile(None)
    )
    transport = httpx.ASGITransport(app=web)
    async with httpx.AsyncClient(transport=transport, base_url="http://alerts") as http:
        yield http


def fresh(**changed: object) -> Alert:
    times = dict.fromkeys(("began_at", "opened_at", "raised_at", "updated_at"), NOON)
    return an_alert(**(times | changed))


class FakeKafka:
    """Takes records; fails as often as told."""

    def __init__(self, failures: int = 0) -> None:
        self.taken: list[Outgoing] = []
        self._failures = failures

    async def send(self, records: Sequence[Outgoing]) -> None:
        if self._failures:
            self._failures -= 1
            raise KafkaUnavailable("away")
        self.taken += records
