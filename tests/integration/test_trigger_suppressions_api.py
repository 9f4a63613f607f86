"""Suppressions over HTTP: acknowledged once no send is under way."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.trigger.api import Suppressing, build_suppressions
from services.trigger.app import Core
from services.trigger.store.suppressions import SuppressionStore
from shared.clock import utc_now
from shared.keys import KeyFile
from shared.metrics import Registry
from shared.web import Parts, build_web
from tests.support.trigger import postponed
from tests.support.trigger_api import book, call, client_of, opened_core


@pytest.fixture
async def core(database_url: str, tmp_path: Path) -> AsyncIterator[Core]:
    async with opened_core(database_url, tmp_path) as core:
        yield core


@pytest.fixture
async def client(core: Core) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(core) as client:
        yield client


async def test_a_suppression_is_kept_shown_and_lifted(
    core: Core, client: httpx.AsyncClient
) -> None:
    await book(core, call(1), **postponed())
    (invitation,) = (await client.get("/v1/invitations")).json()["items"]
    core.dispatch.news.clear()

    made = await client.post(
        "/v1/suppressions", json={"invitation_id": invitation["id"], "by": "ann"}
    )

    assert made.status_code == 200
    assert made.json()["customer_id"] == "c-1"
    assert (made.json()["channels"], made.json()["reason"]) == ([], "opted-out")
    assert core.dispatch.news.is_set()
    (after,) = (await client.get("/v1/invitations", params={"status": "cancelled"})).json()["items"]
    assert after["id"] == invitation["id"]
    (decision,) = (await client.get("/v1/decisions")).json()["items"]
    assert (decision["decision"], decision["reason"]) == ("suppressed", "opted-out")

    assert (await client.get("/v1/suppressions/c-1")).json() == made.json()
    assert (await client.delete("/v1/suppressions/c-1")).status_code == 204
    assert (await client.get("/v1/suppressions/c-1")).status_code == 404
    assert (await client.delete("/v1/suppressions/c-1")).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"customer_id": "c-1", "invitation_id": "i-1"},
        {"customer_id": "c-1", "channels": ["pigeon"]},
        {"customer_id": "c-1", "reason": "tired"},
        {"customer_id": "c\u0000"},
        {"customer_id": " \u200b "},
        {"customer_id": "c-1", "chanels": []},
    ],
)
async def test_a_wrong_suppression_is_refused(
    client: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    assert (await client.post("/v1/suppressions", json=body)).status_code == 422
    assert (await client.get("/v1/suppressions/c-1")).status_code == 404


async def test_a_customer_is_suppressed_under_the_id_that_events_bring(
    core: Core, client: httpx.AsyncClient
) -> None:
    made = await client.post("/v1/suppressions", json={"customer_id": " shop/7\u200b "})
    await book(core, call(1, customer={"id": "shop/7"}))

    assert made.json()["customer_id"] == "shop/7"
    assert (await client.get("/v1/suppressions/shop%2F7")).json() == made.json()
    (decision,) = (await client.get("/v1/decisions")).json()["items"]
    assert decision["reason"] == "opted-out"


async def test_a_suppression_of_an_unknown_invitation_is_not_found(
    client: httpx.AsyncClient,
) -> None:
    reply = await client.post("/v1/suppressions", json={"invitation_id": "i-nobody"})

    assert reply.status_code == 404


async def test_an_optout_is_acknowledged_when_the_send_under_way_has_ended(
    core: Core, client: httpx.AsyncClient
) -> None:
    await book(core, call(1))
    (letter,) = (await core.dispatch.store.claim("email", 1, utc_now())).letters
    asking = asyncio.create_task(client.post("/v1/suppressions", json={"customer_id": "c-1"}))
    await asyncio.sleep(0.2)
    assert not asking.done()

    core.dispatch.launch([letter])
    await core.dispatch.finish()

    assert (await asking).status_code == 200


async def test_an_optout_that_waited_in_vain_is_stored_and_says_so(core: Core) -> None:
    await book(core, call(1))
    await core.dispatch.store.claim("email", 1, utc_now())
    store = SuppressionStore(core.engine)
    hurried = build_suppressions(Suppressing(store, utc_now, core.wake, patience_s=0.2))
    web = build_web(
        "trigger",
        routers=[hurried],
        parts=Parts(),
        registry=Registry(),
        keys=KeyFile(None),
    )

    transport = httpx.ASGITransport(web)
    async with httpx.AsyncClient(transport=transport, base_url="http://trigger") as client:
        reply = await client.post("/v1/suppressions", json={"customer_id": "c-1"})

        assert reply.status_code == 503
        assert reply.headers["retry-after"] == "10"
        assert (await client.get("/v1/suppressions/c-1")).status_code == 200
