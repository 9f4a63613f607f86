"""Keys and readiness of trigger."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.trigger.app import Core, open_core
from shared.keys import new_key
from tests.support.trigger import (
    Recorder,
    refused,
)
from tests.support.trigger_api import book, call, client_of, opened_core, settings


@pytest.fixture
async def core(database_url: str, tmp_path: Path) -> AsyncIterator[Core]:
    async with opened_core(database_url, tmp_path) as core:
        yield core


@pytest.fixture
async def client(core: Core) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(core) as client:
        yield client


async def test_keys_open_what_their_scopes_say(database_url: str, tmp_path: Path) -> None:
    reader, digest = new_key("reader")
    linker, other = new_key("linker")
    scopes = ["invitations:read"]
    keys = [
        {"id": "reader", "sha256": digest, "scopes": scopes},
        {"id": "linker", "sha256": other, "scopes": [*scopes, "invitations:link"]},
    ]
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(keys))
    async with AsyncExitStack() as stack:
        core = await open_core(settings(database_url, tmp_path, keys_file=file), stack)
        await book(core, call(91, customer={"id": "c-91"}))
        client = await stack.enter_async_context(client_of(core))

        def as_key(key: str) -> dict[str, str]:
            return {"Authorization": f"Bearer {key}"}

        assert (await client.get("/v1/invitations")).status_code == 401
        refused = await client.get("/v1/decisions", headers=as_key(reader))
        assert refused.status_code == 403
        assert "decisions:read" in refused.json()["detail"]
        query = {"customer_id": "c-91"}
        (item,) = (
            await client.get("/v1/invitations", params=query, headers=as_key(reader))
        ).json()["items"]
        path = f"/v1/invitations/{item['id']}"
        assert "link" not in (await client.get(path, headers=as_key(reader))).json()
        assert "link" in (await client.get(path, headers=as_key(linker))).json()


async def test_readiness_names_a_sender_that_fails_and_stays_ready(
    core: Core, client: httpx.AsyncClient
) -> None:
    broken = Recorder()
    broken.faults = [refused(permanent=False)]
    couriers: Any = core.dispatch.couriers
    couriers["email"] = broken
    await book(core, call(1))
    await core.dispatch.once()

    reply = await client.get("/readyz")

    assert reply.status_code == 200
    assert reply.json()["parts"]["senders"] == "email: refused"
    assert "earshot_trigger_decisions" in (await client.get("/metrics")).text
