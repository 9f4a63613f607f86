"""`/v1/responses` and `/v1/responses/batch` over HTTP, on a producer that remembers."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.ingest.api.schemas import BY_TOKEN, INVITED, UNINVITED
from services.ingest.domain import fields
from services.ingest.domain.submissions import ALL_FIELDS, ANSWER_FIELDS
from shared.keys import new_key
from tests.support.ingest import INVITATION, Rig, survey_token, unsubscribe_token

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


async def test_an_answer_is_accepted_once_kafka_has_it(rig: Rig) -> None:
    reply = await post(rig, ANSWER)

    assert (reply.status_code, reply.json()) == (202, {"id": "r-1", "status": "accepted"})
    (record,) = rig.producer.sent
    assert (record.topic, record.key) == ("survey-responses", b"r-1")
    (answer,) = rig.producer.answers()
    assert (answer.survey, answer.answers.score, answer.answers.comment) == ("post-call", 2, "slow")


async def test_the_same_again_gets_the_same_reply(rig: Rig) -> None:
    first, second = await post(rig, ANSWER), await post(rig, ANSWER)

    assert (first.status_code, first.json()) == (second.status_code, second.json())


async def test_a_token_stands_for_its_invitation(rig: Rig) -> None:
    reply = await post(rig, {"token": survey_token(language="ko"), "answers": {"score": 5}})

    assert (reply.status_code, reply.json()["id"]) == (202, INVITATION)
    (answer,) = rig.producer.answers()
    assert (answer.invitation_id, answer.survey, answer.language) == (
        INVITATION,
        "post-call",
        "ko",
    )


@pytest.mark.parametrize(
    ("token", "status"),
    [
        ("forged", 404),
        (survey_token() + "x", 404),
        (unsubscribe_token(), 404),
        (survey_token(expires_in=timedelta(seconds=-1)), 410),
        (survey_token(survey="gone"), 410),
        (7, 422),
    ],
    ids=["forged", "changed", "other-purpose", "expired", "survey-gone", "no-text"],
)
async def test_a_token_that_does_not_hold(rig: Rig, token: Any, status: int) -> None:
    reply = await post(rig, {"token": token, "answers": {"score": 5}})

    assert reply.status_code == reply.json()["status"] == status
    assert rig.producer.sent == []


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 400),
        (b"{", {}, 400),
        (b"{} {}", {}, 400),
        (b'{"id": "\xff"}', {}, 400),
        (b'{"id": "\\ud800"}', {}, 400),
        (b"[" * 60_000, {}, 400),
        (b'{"a": ' + b"9" * 5_000 + b"}", {}, 400),
        (b"[]", {}, 422),
        (b"null", {}, 422),
        (b"{}", {}, 422),
        (b" " * 65_537, {}, 413),
        (json.dumps(ANSWER).encode(), {"content_type": "text/plain"}, 415),
        (json.dumps(ANSWER).encode(), {"content_type": "application/xml; charset=utf-8"}, 415),
        (json.dumps(ANSWER).encode(), {"content_encoding": "gzip"}, 415),
        (json.dumps(ANSWER).encode(), {"content_type": "Application/JSON; charset=utf-8"}, 202),
        (json.dumps(ANSWER).encode(), {"content_type": "application/vnd.shop+json"}, 202),
    ],
)
async def test_bodies_that_are_not_a_submission(
    rig: Rig, body: bytes, headers: dict[str, str], status: int
) -> None:
    reply = await post(rig, body, **headers)

    assert reply.status_code == status
    if status != 202:
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json()["status"] == reply.status_code


async def test_a_body_without_a_length_is_bounded_too(rig: Rig) -> None:
    async def endless() -> Any:
        for _ in range(100):
            yield b" " * 1024

    async with rig.client() as client:
        reply = await client.post("/v1/responses", content=endless(), headers=JSON)

    assert reply.status_code == 413


async def test_a_fault_names_field_value_and_what_is_accepted(rig: Rig) -> None:
    reply = await post(rig, ANSWER | {"answers": {"score": 11}})

    assert reply.status_code == 422
    assert reply.json()["errors"] == [
        {
            "field": "answers.score",
            "code": "out-of-range",
            "value": "11",
            "accepted": "a whole number from 1 to 5",
        }
    ]


async def test_kafka_away_is_said_with_when_to_come_back(rig: Rig) -> None:
    rig.producer.away = True

    reply = await post(rig, ANSWER)

    assert reply.status_code == 503
    assert int(reply.headers["retry-after"]) > 0


async def test_the_documented_route_answers_as_the_fast_one(rig: Rig) -> None:
    fast = rig.web()
    bodies = [ANSWER, {}, {"token": "x"}, {"token": survey_token(), "answers": {"score": 1}}]

    for body in bodies:
        replies = []
        for app in (fast, fast._app):  # noqa: SLF001 - the application behind the fast route
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
                replies.append(await client.post("/v1/responses", json=body))
        assert replies[0].status_code == replies[1].status_code
        assert replies[0].content == replies[1].content
        assert replies[0].headers == replies[1].headers


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


async def test_keys_are_asked_of_machines_and_not_of_customers(tmp_path: Path) -> None:
    text, digest = new_key("shop")
    other, other_digest = new_key("reader")
    keys = tmp_path / "keys.json"
    keys.write_text(
        json.dumps(
            [
                {"id": "shop", "sha256": digest, "scopes": ["responses:write"]},
                {"id": "reader", "sha256": other_digest, "scopes": ["scores:read"]},
            ]
        )
    )
    rig = Rig(settings={"keys_file": keys})
    by_token = {"token": survey_token(), "answers": {"score": 1}}

    statuses = [
        (await post(rig, ANSWER)).status_code,
        (await post(rig, ANSWER, authorization=f"Bearer {other}")).status_code,
        (await post(rig, ANSWER, authorization=f"Bearer {text}")).status_code,
        (await post(rig, by_token)).status_code,
        (await post(rig, [ANSWER], "/v1/responses/batch")).status_code,
        (await post(rig, {}, "/v1/events", authorization=f"Bearer {text}")).status_code,
    ]

    assert statuses == [401, 403, 202, 202, 401, 403]


async def test_the_document_shows_the_fields_that_the_domain_knows(rig: Rig) -> None:
    async with rig.client() as client:
        document = (await client.get("/openapi.json")).json()

    route = document["paths"]["/v1/responses"]["post"]
    assert {"202", "400", "401", "403", "404", "410", "413", "415", "422", "503"} <= set(
        route["responses"]
    )
    named = {name for form in (BY_TOKEN, INVITED, UNINVITED) for name in form["properties"]}
    assert named == ALL_FIELDS
    answers = BY_TOKEN["properties"]["answers"]["properties"]
    assert set(answers) == ANSWER_FIELDS
    assert answers["comment"]["maxLength"] == fields.LONGEST_COMMENT
    assert set(document["paths"]) >= {"/v1/responses/batch", "/v1/events", "/healthz", "/readyz"}


async def test_health_readiness_and_series(rig: Rig) -> None:
    await post(rig, ANSWER)

    async with rig.client() as client:
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).json()["parts"] == {"topics": "ok"}
        series = (await client.get("/metrics")).text

    assert 'earshot_ingest_answers_total{invited="no",metric="csat"}' in series
    assert "earshot_ingest_acknowledged_seconds_count" in series
