"""While our silence lasts Alertmanager goes on believing what it was told before."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from services.alerts.domain.alerts import Change, State
from services.alerts.domain.deliveries import FIRING_FOR, REPEAT
from services.alerts.domain.silences import Matcher, Silence
from services.alerts.store.silences import put_silence
from shared.db import open_engine
from tests.support.alertmanager import open_fake, open_real
from tests.support.alerts_stage import Stage, fresh

LEFT_S = 1.0  # of what it believes, when the silence begins


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.tools)])
async def client(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    opened = open_fake() if request.param == "fake" else open_real(tmp_path)
    async with opened as client:
        yield client


async def shown(client: httpx.AsyncClient) -> set[str]:
    alerts = (await client.get("/api/v2/alerts")).json()
    return {alert["labels"]["incident"] for alert in alerts}


@pytest.mark.thorough
async def test_what_fired_before_a_silence_fires_on_in_it_and_is_resolved_after_it(
    client: httpx.AsyncClient, fresh_database_url: str
) -> None:
    async with open_engine(fresh_database_url, schema="alerts") as engine:
        stage = Stage(engine, client)
        manager = stage.add("ops", str(client.base_url), "alertmanager")
        stage.now = datetime.now(UTC) - FIRING_FOR + timedelta(seconds=LEFT_S)
        alert = fresh(opened_at=stage.now, updated_at=stage.now)
        await stage.tell((alert, Change.OPENED))
        await manager.turn()
        silence = Silence(
            id="s-1", matchers=Matcher(), begins_at=stage.now, ends_at=stage.now + 2 * REPEAT,
            maintenance=False, by="anne", note=None, created_at=stage.now,
        )  # fmt: skip
        async with engine.begin() as connection:
            await put_silence(connection, silence)

        stage.now += REPEAT
        ended = alert.end(State.RESOLVED, stage.now, stage.now)
        later = fresh(id="a-2", opened_at=stage.now, updated_at=stage.now)
        await stage.tell((ended, Change.RESOLVED), (later, Change.OPENED))
        await manager.turn()
        await asyncio.sleep(LEFT_S + 0.2)
        during = await shown(client)
        stage.now += REPEAT
        await manager.turn()

        assert during == {"a-1"}
        assert await shown(client) == {"a-2"}
