"""The whole service between Kafka and HTTP: answers in, one alert out, told and published."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from services.alerts.app import open_service
from services.alerts.settings import AlertsSettings
from shared.db import open_engine
from shared.events import Topic
from shared.process import CannotStart
from shared.stream import Broker, Outgoing
from shared.stream.kafka import open_producer
from shared.wire import encode
from tests.conftest import ROOT
from tests.support.alerts import scored
from tests.support.kafka import on_both
from tests.support.receivers import Receiver, open_receiver

SECRET = "whsec_" + "c2VjcmV0" * 4


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with open_receiver() as receiver:
        yield receiver


@pytest.fixture
def settings(
    broker: Broker, fresh_database_url: str, receiver: Receiver, tmp_path: Path
) -> AlertsSettings:
    programme = tmp_path / "programme"
    shutil.copytree(ROOT / "programme", programme)
    (programme / "alerts.yaml").write_text(
        f"destinations:\n  ops: {{kind: alertmanager, url: '{receiver.url}'}}\n"
        f"  hook: {{kind: webhook, url: '{receiver.url}/hook'}}\n"
    )
    return AlertsSettings(
        kafka_bootstrap=broker.bootstrap,
        kafka_topic_prefix=broker.prefix,
        kafka_log=broker.log,
        kafka_embedded=broker.embedded,
        database_url=SecretStr(fresh_database_url),
        programme=programme,
        alerts_webhook_secret=SecretStr(SECRET),
    )


@asynccontextmanager
async def running(settings: AlertsSettings) -> AsyncIterator[httpx.AsyncClient]:
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(open_service(settings))
        tasks = [asyncio.ensure_future(worker(stop)) for worker in service.workers]
        transport = httpx.ASGITransport(app=service.web)
        try:
            async with httpx.AsyncClient(transport=transport, base_url="http://alerts") as http:
                yield http
        finally:
            stop.set()
            await asyncio.wait_for(asyncio.gather(*tasks), 10)


def fault(now: datetime) -> list[Outgoing]:
    """Two calm days, then an hour in which EU x shoes goes wrong, until now."""
    start = now - timedelta(days=2)
    answers = [
        scored(i, start + timedelta(minutes=2 * i), detractor=i % 10 == 0,
               segments={"region": ("EU", "US")[i % 2], "product": ("hats", "shoes")[i // 2 % 2]})
        for i in range(1410)
    ] + [
        scored(5_000 + i, now - timedelta(minutes=60 - i / 2), detractor=i % 4 != 0)
        for i in range(120)
    ]  # fmt: skip
    return [Outgoing(Topic.SCORED_RESPONSES, a.id.encode(), encode(a)) for a in answers]


async def alerts_of(http: httpx.AsyncClient, state: str) -> list[dict[str, Any]]:
    async with asyncio.timeout(25):
        while True:
            page = (await http.get("/v1/alerts", params={"state": state})).json()
            if page["items"]:
                found: list[dict[str, Any]] = page["items"]
                return found
            await asyncio.sleep(0.1)


async def send_fault(broker: Broker) -> datetime:
    """Send a fault that lasts; its last minute."""
    now = datetime.now(UTC)
    async with open_producer(broker) as producer:
        await producer.send(fault(now))
    return now - timedelta(minutes=1)


async def until_judged(http: httpx.AsyncClient, until: datetime) -> None:
    """Wait until event time has come so far: what is closed before goes on, and rings again."""
    async with asyncio.timeout(25):
        while ((await http.get("/v1/alerts")).json()["judged_to"] or "") < until.isoformat():
            await asyncio.sleep(0.1)


def posted(receiver: Receiver) -> list[dict[str, Any]]:
    return [body[0] for body in receiver.bodies() if isinstance(body, list)]


async def resolved_at(receiver: Receiver) -> None:
    def told() -> bool:
        """Both destinations, each in its own time."""
        ends = [alert["endsAt"] for alert in posted(receiver)]
        changes = [body["change"] for body in receiver.bodies() if isinstance(body, dict)]
        return bool(ends) and ends[-1] <= datetime.now(UTC).isoformat() and "resolved" in changes

    async with asyncio.timeout(10):
        while not told():
            await asyncio.sleep(0.05)


@on_both
@pytest.mark.thorough
async def test_a_fault_is_alerted_published_told_and_closed_by_a_person(
    settings: AlertsSettings, broker: Broker, receiver: Receiver
) -> None:
    async with running(settings) as http:
        await until_judged(http, await send_fault(broker))
        (alert,) = await alerts_of(http, "open")
        await receiver.until(2)
        reply = await http.post(f"/v1/alerts/{alert['id']}/resolve", json={"by": "anne"})
        assert reply.status_code == 200
        await resolved_at(receiver)
        ready = (await http.get("/readyz")).json()["parts"]
        series = (await http.get("/metrics")).text

    assert alert["survey"] == "post-delivery"
    assert not alert["historic"]
    paths = {path for path, _, _ in receiver.got}
    assert paths == {"/api/v2/alerts", "/hook"}
    said = posted(receiver)
    assert said[0]["labels"] == said[-1]["labels"]
    changes = [body["change"] for body in receiver.bodies() if isinstance(body, dict)]
    assert changes[0] == "opened"
    assert changes[-1] == "resolved"
    assert {part: ready[part] for part in ("database", "consumer", "judge", "publishing")} == (
        dict.fromkeys(("database", "consumer", "judge", "publishing"), "ok")
    )
    assert "earshot_alerts_raised_total" in series

    async with running(settings) as http:  # a restart reads it all again, and raises nothing
        await asyncio.sleep(1.5)
        assert len((await http.get("/v1/alerts")).json()["items"]) == 1

    await judged_by_newer(settings)
    async with running(settings) as http, asyncio.timeout(5):
        reply = await http.get("/readyz")
        while "newer version has judged" not in reply.json()["parts"]["version"]:
            await asyncio.sleep(0.05)
            reply = await http.get("/readyz")
        assert reply.json()["parts"]["judge"] == "ok"  # it counts and answers as ever


async def judged_by_newer(settings: AlertsSettings) -> None:
    async with (
        open_engine(settings.database_for("alerts"), schema="alerts") as engine,
        engine.begin() as connection,
    ):
        await connection.execute(sa.text("UPDATE lines SET layout = layout + 1"))


async def test_a_webhook_without_a_secret_cannot_start(settings: AlertsSettings) -> None:
    silent = settings.model_copy(update={"alerts_webhook_secret": SecretStr("")})

    with pytest.raises(CannotStart, match="EARSHOT_ALERTS_WEBHOOK_SECRET"):
        async with open_service(silent):
            pass
