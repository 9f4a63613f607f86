"""`POST /v1/events` over HTTP: one event, three forms, batches, refusals."""

import json
from typing import Any

import httpx
import pytest

from tests.support.ingest import Rig

EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "evt-1",
    "source": "/shop/eu",
    "type": "transaction.delivered",
    "time": "2026-11-21T10:00:00Z",
    "subject": "o-77",
    "data": {"customer": {"id": "c-1001"}, "transaction": {"id": "o-77"}},
}
CALL = EVENT | {"id": "evt-2", "type": "support_call.ended"}
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def post(rig: Rig, body: Any, content_type: str, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with rig.client() as client:
        return await client.post(
            "/v1/events", content=content, headers={"content-type": content_type} | headers
        )


BINARY = {f"ce-{name}": str(EVENT[name]) for name in EVENT if name != "data"}


@pytest.mark.parametrize(
    ("body", "content_type", "headers"),
    [
        (EVENT, STRUCTURED, {}),
        (EVENT, "application/json", {}),
        (EVENT["data"], "application/json", BINARY),
        (EVENT["data"], "application/json", BINARY | {"ce-source": "%2Fshop%2Feu"}),
    ],
    ids=["structured", "bare", "binary", "binary-escaped"],
)
async def test_every_form_is_written_as_the_same_structured_json(
    rig: Rig, body: Any, content_type: str, headers: dict[str, str]
) -> None:
    reply = await post(rig, body, content_type, **headers)

    assert (reply.status_code, reply.json()) == (
        202,
        {"source": "/shop/eu", "id": "evt-1", "status": "accepted"},
    )
    (record,) = rig.producer.sent
    assert (record.topic, record.key) == ("transactions", b"c-1001")
    assert ("content-type", STRUCTURED.encode()) in record.headers
    written = json.loads(record.value or b"")
    assert written == EVENT | {"datacontenttype": "application/json"}


async def test_calls_have_a_topic_of_their_own_and_the_trace_goes_on(rig: Rig) -> None:
    await post(rig, CALL, STRUCTURED, traceparent="00-abc-def-01")

    (record,) = rig.producer.sent
    assert record.topic == "support-calls"
    assert ("traceparent", b"00-abc-def-01") in record.headers


@pytest.mark.parametrize(
    ("body", "content_type", "status", "field"),
    [
        (b"{", STRUCTURED, 400, None),
        (b'{"id": "\xff"}', STRUCTURED, 400, None),
        (b'{"a":' * 900 + b"1" + b"}" * 900, STRUCTURED, 422, "id"),
        ({**EVENT, "data": json.loads('{"a":' * 900 + "1" + "}" * 900)}, STRUCTURED, 400, None),
        (b"[]", STRUCTURED, 422, "body"),
        (EVENT | {"id": ""}, STRUCTURED, 422, "id"),
        (EVENT | {"type": None}, STRUCTURED, 422, "type"),
        (EVENT | {"time": "2026-11-21T10:00:00"}, STRUCTURED, 422, "time"),
        (EVENT | {"type": "order.created"}, STRUCTURED, 422, "type"),
        (EVENT | {"data": [1]}, STRUCTURED, 422, "data"),
        (EVENT, "text/plain", 415, None),
        (b" " * 70_000, STRUCTURED, 413, None),
        ({"events": [EVENT]}, BATCH, 422, "body"),
        ([EVENT] * 1_001, BATCH, 413, None),
    ],
)
async def test_events_that_cannot_be_taken(
    rig: Rig, body: Any, content_type: str, status: int, field: str | None
) -> None:
    reply = await post(rig, body, content_type)

    assert reply.status_code == reply.json()["status"] == status
    assert [fault["field"] for fault in reply.json().get("errors", [])] == (
        [field] if field else []
    )
    assert rig.producer.sent == []


async def test_a_batch_says_of_each_event_what_became_of_it(rig: Rig) -> None:
    events = [EVENT, EVENT | {"type": "order.created"}, 5, CALL]

    reply = await post(rig, events, BATCH)

    assert reply.status_code == 207
    found = reply.json()["items"]
    assert [(i["index"], i["id"], i["status"]) for i in found] == [
        (0, "evt-1", "accepted"),
        (1, "evt-1", "rejected"),
        (2, None, "rejected"),
        (3, "evt-2", "accepted"),
    ]
    assert [record.topic for record in rig.producer.sent] == ["transactions", "support-calls"]


async def test_kafka_away_is_503(rig: Rig) -> None:
    rig.producer.away = True

    assert (await post(rig, EVENT, STRUCTURED)).status_code == 503
    assert (await post(rig, [EVENT], BATCH)).status_code == 503


@pytest.mark.parametrize(
    ("change", "field", "accepted"),
    [
        ({"source": None}, "source", "a value is needed"),
        ({"time": "yesterday"}, "time", "RFC 3339 with offset"),
        ({"id": 7}, "id", "a text"),
    ],
)
async def test_a_refusal_says_what_is_accepted(
    rig: Rig, change: dict[str, Any], field: str, accepted: str
) -> None:
    reply = await post(rig, EVENT | change, STRUCTURED)

    assert reply.status_code == 422
    (fault,) = reply.json()["errors"]
    assert (fault["field"], fault["accepted"]) == (field, accepted)


async def test_an_event_over_64_kib_is_refused_alone_and_costs_no_other(rig: Rig) -> None:
    large = EVENT | {"id": "evt-9", "data": {"note": "x" * 1_500_000}}

    alone = await post(rig, large, STRUCTURED)
    batch = await post(rig, [EVENT, large, CALL], BATCH)

    assert alone.status_code == 413
    assert [item["status"] for item in batch.json()["items"]] == [
        "accepted",
        "rejected",
        "accepted",
    ]
    assert batch.json()["items"][1]["error"]["status"] == 413
    assert len(rig.producer.sent) == 2
