"""Who may come in, what the document says, and how ingest fares."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.ingest.api.schemas import BY_TOKEN, INVITED, UNINVITED
from services.ingest.domain import fields
from services.ingest.domain.submissions import ALL_FIELDS, ANSWER_FIELDS
from shared.keys import new_key
from tests.support.ingest import Rig, survey_token

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


async def test_a_customers_wrong_answer_counts_once(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text("[]")
    rig = Rig(settings={"keys_file": keys, "rate_per_address": 1})
    wrong = {"token": survey_token(), "answers": {"score": 99}}

    async with rig.client() as client:
        replies = [await client.post("/v1/responses", json=wrong) for _ in range(11)]

    assert [reply.status_code for reply in replies] == [422] * 10 + [429]


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
    assert 'earshot_http_request_duration_seconds_count{route="/v1/responses"}' in series
