"""`/v1/responses` and `/v1/responses/batch` over HTTP, on a producer that remembers."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

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


async def test_an_unknown_parameter_is_refused_on_the_fast_route_too(rig: Rig) -> None:
    reply = await post(rig, ANSWER, "/v1/responses?dry_run=1")

    assert reply.status_code == 422
    assert reply.json()["errors"][0]["field"] == "dry_run"
    assert rig.producer.sent == []
