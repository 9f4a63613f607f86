"""Trigger's API on real PostgreSQL: explained, previewed, suppressed."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from services.trigger.api import Suppressing, build_suppressions
from services.trigger.app import Core, build_trigger_web, clock, open_core
from services.trigger.handlers import Desk, on_batch
from services.trigger.settings import TriggerSettings
from services.trigger.store.ledger import SqlLedger
from services.trigger.store.suppressions import SuppressionStore
from shared.events import Event, SurveyDecision
from shared.keys import KeyFile, new_key
from shared.stream import Health
from shared.web import Parts, build_web
from tests.support.trigger import (
    CHANNELS,
    ROOT,
    Recorder,
    arrival,
    call_ended,
    programme,
    refused,
)

TABLES = "events, customers, contacts, decisions, invitations, suppressions"


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


@pytest.fixture
async def core(database_url: str, tmp_path: Path) -> AsyncIterator[Core]:
    async with AsyncExitStack() as stack:
        core = await open_core(settings(database_url, tmp_path), stack)
        async with core.engine.begin() as connection:
            await connection.execute(sa.text(f"TRUNCATE {TABLES}"))
        yield core


def client_of(core: Core) -> httpx.AsyncClient:
    web = build_trigger_web(core, Health(), no_topics)
    return httpx.AsyncClient(transport=httpx.ASGITransport(web), base_url="http://trigger")


@pytest.fixture
async def client(core: Core) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(core) as client:
        yield client


async def book(core: Core, *events: Event, **changes: Any) -> None:
    async def publish(decisions: Sequence[SurveyDecision]) -> None: ...

    desk = Desk(programme(**changes), CHANNELS, clock())
    async with core.engine.begin() as connection:
        arrivals = [arrival(event) for event in events]
        await on_batch(arrivals, [], SqlLedger(connection), publish, desk)


def call(number: int = 1, **data: Any) -> Event:
    return call_ended(number, at=clock() - timedelta(seconds=1), **data)


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


async def test_a_decision_is_explained_in_a_sentence(core: Core, client: httpx.AsyncClient) -> None:
    await book(core, call(1), call(2, call={"talk_s": 2}))

    reply = await client.get("/v1/decisions", params={"event_id": "evt-2"})

    (item,) = reply.json()["items"]
    assert (item["decision"], item["reason"]) == ("suppressed", "rule-not-met")
    assert item["sentence"] == "The event does not meet the trigger's rule."
    assert item["segments"]["queue"] == "billing"
    assert item["programme"].startswith("sha256:")
    assert reply.json()["next"] is None


async def test_decisions_are_paged_newest_first_and_filtered(
    core: Core, client: httpx.AsyncClient
) -> None:
    for number in range(5):
        await book(core, call(number, customer={"id": f"c-{number % 2}"}))

    first = (await client.get("/v1/decisions", params={"limit": 3})).json()
    rest = (await client.get("/v1/decisions", params={"limit": 3, "cursor": first["next"]})).json()
    seen = [item["event_id"] for item in first["items"] + rest["items"]]
    assert seen == [f"evt-{number}" for number in (4, 3, 2, 1, 0)]
    assert rest["next"] is None

    for query, expected in (
        ({"customer_id": "c-1"}, 2),
        ({"trigger": "after-call"}, 5),
        ({"trigger": "after-delivery"}, 0),
        ({"reason": "asked"}, 5),
    ):
        found = (await client.get("/v1/decisions", params=query)).json()["items"]
        assert len(found) == expected, query


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/decisions?reasn=asked", "reasn"),
        ("/v1/decisions?reason=because", "reason"),
        ("/v1/decisions?limit=0", "limit"),
        ("/v1/decisions?cursor=xyz", "cursor"),
        ("/v1/decisions?cursor=WyJhIl0", "cursor"),
        ("/v1/invitations?status=lost", "status"),
        ("/v1/invitations?cursor=WzEsMl0", "cursor"),
    ],
)
async def test_a_wrong_parameter_is_named(client: httpx.AsyncClient, path: str, field: str) -> None:
    reply = await client.get(path)

    assert reply.status_code == 422
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["errors"][0]["field"] == field


async def test_a_preview_decides_and_leaves_no_trace(core: Core, client: httpx.AsyncClient) -> None:
    await book(core, call(1))

    fresh = await client.post("/v1/preview", json=structured(call(2)))
    again = await client.post("/v1/preview", json=structured(call(3, call={"id": "call-1"})))
    nobody = await client.post("/v1/preview", json=structured(call(4, customer=None)))

    assert [reply.status_code for reply in (fresh, again, nobody)] == [200] * 3
    reasons = [reply.json()["items"][0]["reason"] for reply in (fresh, again, nobody)]
    assert reasons == ["asked", "asked-already", "no-contact"]
    assert fresh.json()["items"][0]["invitation_id"] is None
    assert len((await client.get("/v1/decisions")).json()["items"]) == 1
    assert len((await client.get("/v1/invitations")).json()["items"]) == 1


async def test_a_preview_reads_all_forms_of_an_event(client: httpx.AsyncClient) -> None:
    event = call(7)
    head = {"ce-specversion": "1.0", "ce-id": "evt-7", "ce-source": "/calls"}
    binary = await client.post(
        "/v1/preview",
        content=json.dumps(event.data),
        headers={
            **head,
            "ce-type": event.type,
            "ce-time": event.time.isoformat(),
            "content-type": "application/json",
        },
    )
    whole = await client.post(
        "/v1/preview",
        content=json.dumps(structured(event)),
        headers={"content-type": "application/cloudevents+json"},
    )

    assert binary.json()["items"][0]["reason"] == whole.json()["items"][0]["reason"] == "asked"


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"id": None}, 422, "id"),
        ({"type": "invoice.paid"}, 422, "type"),
        ({"time": "yesterday"}, 422, "time"),
        ({"data": {"customer": "ann"}}, 422, "data.customer"),
    ],
)
async def test_an_event_that_cannot_be_read_names_the_field(
    client: httpx.AsyncClient, change: dict[str, Any], status: int, field: str
) -> None:
    reply = await client.post("/v1/preview", json=structured(call(), **change))

    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (status, field)


async def test_a_preview_of_no_json_is_a_bad_request(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/preview", content=b"{")).status_code == 400


async def test_an_invitation_is_shown_with_its_link_on_loopback(
    core: Core, client: httpx.AsyncClient
) -> None:
    await book(core, call(1), call(2, customer={"id": "c-2", "email": None}))

    listed = (await client.get("/v1/invitations", params={"channel": "webhook"})).json()["items"]
    (other,) = (await client.get("/v1/invitations", params={"customer_id": "c-1"})).json()["items"]
    single = (await client.get(f"/v1/invitations/{other['id']}")).json()

    assert [item["customer_id"] for item in listed] == ["c-2"]
    assert "link" not in other
    assert single["link"].startswith("http://127.0.0.1:8001/s/")
    assert (single["status"], single["channel"], single["language"]) == ("scheduled", "email", "de")
    assert (await client.get("/v1/invitations/i-nobody")).status_code == 404
    paged = (await client.get("/v1/invitations", params={"limit": 1})).json()
    rest = (await client.get("/v1/invitations", params={"cursor": paged["next"]})).json()
    assert len({item["id"] for item in paged["items"] + rest["items"]}) == 2


async def test_a_suppression_is_kept_shown_and_lifted(
    core: Core, client: httpx.AsyncClient
) -> None:
    await book(core, call(1), trigger={"delay": timedelta(hours=1)})
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
        {"customer_id": "c-1", "chanels": []},
    ],
)
async def test_a_wrong_suppression_is_refused(
    client: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    assert (await client.post("/v1/suppressions", json=body)).status_code == 422
    assert (await client.get("/v1/suppressions/c-1")).status_code == 404


async def test_a_suppression_of_an_unknown_invitation_is_not_found(
    client: httpx.AsyncClient,
) -> None:
    reply = await client.post("/v1/suppressions", json={"invitation_id": "i-nobody"})

    assert reply.status_code == 404


async def test_an_optout_is_acknowledged_when_the_send_under_way_has_ended(
    core: Core, client: httpx.AsyncClient
) -> None:
    await book(core, call(1))
    (letter,) = (await core.dispatch.store.claim(1, clock())).letters
    asking = asyncio.create_task(client.post("/v1/suppressions", json={"customer_id": "c-1"}))
    await asyncio.sleep(0.2)
    assert not asking.done()

    core.dispatch.launch([letter])
    await core.dispatch.finish()

    assert (await asking).status_code == 200


async def test_an_optout_that_waited_in_vain_is_stored_and_says_so(core: Core) -> None:
    await book(core, call(1))
    await core.dispatch.store.claim(1, clock())
    store = SuppressionStore(core.engine)
    hurried = build_suppressions(Suppressing(store, clock, core.wake, patience_s=0.2))
    web = build_web(
        "trigger",
        routers=[hurried],
        parts=Parts(),
        registry=CollectorRegistry(),
        keys=KeyFile(None),
    )

    transport = httpx.ASGITransport(web)
    async with httpx.AsyncClient(transport=transport, base_url="http://trigger") as client:
        reply = await client.post("/v1/suppressions", json={"customer_id": "c-1"})

        assert reply.status_code == 503
        assert reply.headers["retry-after"] == "10"
        assert (await client.get("/v1/suppressions/c-1")).status_code == 200


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
