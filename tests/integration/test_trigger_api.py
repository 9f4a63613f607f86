"""Decisions, previews and invitations over HTTP, on real PostgreSQL."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.trigger.app import Core
from shared.web import encode_cursor
from tests.support.trigger import NOW
from tests.support.trigger_api import book, call, client_of, opened_core, structured


@pytest.fixture
async def core(database_url: str, tmp_path: Path) -> AsyncIterator[Core]:
    async with opened_core(database_url, tmp_path) as core:
        yield core


@pytest.fixture
async def client(core: Core) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(core) as client:
        yield client


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
        (f"/v1/decisions?cursor={encode_cursor([True])}", "cursor"),
        (f"/v1/decisions?cursor={encode_cursor([2**63])}", "cursor"),
        ("/v1/decisions?customer_id=a%00b", "customer_id"),
        ("/v1/invitations?status=lost", "status"),
        ("/v1/invitations?cursor=WzEsMl0", "cursor"),
        (f"/v1/invitations?cursor={encode_cursor(['0001-01-01T00:00+10:00', 'i'])}", "cursor"),
        (f"/v1/invitations?cursor={encode_cursor([NOW, 'a' + chr(0)])}", "cursor"),
        ("/v1/invitations/i%00", "invitation_id"),
        ("/v1/suppressions/c%00", "customer_id"),
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


async def test_a_preview_of_what_waits_says_what_it_comes_to(client: httpx.AsyncClient) -> None:
    refused = {"consent": {"email": False, "webhook": False}}
    event = structured(call(2, customer=refused, transaction={"id": "o-1"}))
    reply = await client.post("/v1/preview", json={**event, "type": "transaction.refunded"})

    (item,) = reply.json()["items"]
    assert (item["decision"], item["reason"]) == ("scheduled", "delayed")
    assert item["sentence"].startswith("Whether the customer is asked is decided when")
    then = item["when_due"]
    assert (then["decision"], then["reason"]) == ("suppressed", "no-consent")
    assert then["decided_at"] > item["decided_at"]


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


async def test_a_preview_of_another_media_type_is_refused(client: httpx.AsyncClient) -> None:
    reply = await client.post(
        "/v1/preview", content=b"a,b", headers={"content-type": "text/csv; charset=utf-8"}
    )

    assert reply.status_code == 415


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
