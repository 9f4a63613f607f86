"""`/v1/responses/batch` over HTTP, on a producer that remembers."""

import json
from typing import Any

import httpx
import pytest

from tests.support.ingest import INVITATION, Rig, survey_token

ANSWER = {"id": "r-1", "survey": "post-call", "answers": {"score": 2, "comment": "slow"}}
JSON = {"content-type": "application/json"}


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def post(rig: Rig, body: Any, path: str = "/v1/responses", **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with rig.client() as client:
        return await client.post(path, content=content, headers=JSON | named)


async def test_a_batch_takes_what_is_right_and_names_what_is_not(rig: Rig) -> None:
    items = [
        ANSWER,
        ANSWER | {"id": "r-2", "answers": {"score": 9}},
        "text",
        {"token": "forged", "id": "r-4", "answers": {"score": 1}},
        {"token": survey_token(), "answers": {"score": 1}},
    ]

    reply = await post(rig, items, "/v1/responses/batch")

    assert reply.status_code == 207
    assert reply.json()["next"] is None
    found = reply.json()["items"]
    assert [(i["index"], i["id"], i["status"]) for i in found] == [
        (0, "r-1", "accepted"),
        (1, "r-2", "rejected"),
        (2, None, "rejected"),
        (3, "r-4", "rejected"),
        (4, INVITATION, "accepted"),
    ]
    assert [i["error"]["status"] for i in found if "error" in i] == [422, 422, 404]
    assert [answer.id for answer in rig.producer.answers()] == ["r-1", INVITATION]
    assert rig.producer.calls == 1


async def test_a_batch_may_come_line_by_line(rig: Rig) -> None:
    lines = b"\n".join([json.dumps(ANSWER).encode(), b"", b"{not json", b'{"id": "\xff"}', b"{}"])

    reply = await post(rig, lines, "/v1/responses/batch", content_type="application/x-ndjson")

    statuses = [item.get("error", {}).get("status", 202) for item in reply.json()["items"]]
    assert statuses == [202, 400, 400, 422]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"[]", "application/json", 207),
        (b"{}", "application/json", 422),
        (b"[", "application/json", 400),
        (json.dumps([ANSWER] * 1_001).encode(), "application/json", 413),
        (b" " * (4 * 1024 * 1024 + 1), "application/json", 413),
        (b"[]", "text/csv", 415),
    ],
)
async def test_batches_as_a_whole(rig: Rig, body: bytes, content_type: str, status: int) -> None:
    reply = await post(rig, body, "/v1/responses/batch", content_type=content_type)

    assert reply.status_code == status


async def test_a_thousand_answers_are_one_batch(rig: Rig) -> None:
    items = [ANSWER | {"id": f"r-{number}"} for number in range(1_000)]

    reply = await post(rig, items, "/v1/responses/batch")

    assert {item["status"] for item in reply.json()["items"]} == {"accepted"}
    assert len(rig.producer.sent) == 1_000


async def test_a_batch_that_kafka_did_not_take_is_503(rig: Rig) -> None:
    rig.producer.away = True

    reply = await post(rig, [ANSWER, "bad"], "/v1/responses/batch")

    assert reply.status_code == 503
    assert "retry-after" in reply.headers
