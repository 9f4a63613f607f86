"""Bodies on the chassis: bounded, JSON, and each fault named."""

from collections.abc import AsyncIterator

import pytest

from tests.support.web import JSON, build


async def test_an_unknown_field_is_refused_with_the_nearest_known() -> None:
    reply = await build().post("/v1/word", json={"word": "a", "wrd": "b"})

    assert reply.status_code == 422
    (fault,) = reply.json()["errors"]
    assert (fault["field"], fault["code"]) == ("wrd", "unknown-field")
    assert fault["accepted"] == "did you mean word?"


async def test_a_body_over_the_limit_is_refused_declared_or_not() -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield b"x" * 1024

    client = build()

    assert (await client.post("/v1/echo", content=b"x" * 65_536)).json() == {"bytes": 65_536}
    assert (await client.post("/v1/echo", content=b"x" * 65_537)).status_code == 413
    assert (await client.post("/v1/echo", content=endless())).status_code == 413
    assert (await client.post("/v1/word", content=endless())).status_code == 413


@pytest.mark.parametrize("body", ['{"word": "\\ud800"}', '"\\ud800"'])
async def test_half_a_surrogate_pair_is_a_fault_of_the_sender(body: str) -> None:
    reply = await build().post("/v1/word", content=body, headers=JSON)

    assert reply.status_code == 422
    assert reply.json()["title"] == "Unprocessable Content"


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ('{"word": "a"}', "application/json; charset=utf-8", 200),
        ('{"word": "a"}', "application/merge-patch+json", 200),
        ('{"word": "a"}', "text/plain", 415),
        ('{"word": "a"}', "application/x-www-form-urlencoded", 415),
        ('{"word": "a"}', None, 415),
        ("{", "application/json", 400),
        ("[]", "application/json", 422),
    ],
)
async def test_a_body_is_json_and_says_so(body: str, content_type: str | None, status: int) -> None:
    headers = {"content-type": content_type} if content_type else {}

    reply = await build().post("/v1/word", content=body, headers=headers)

    assert reply.status_code == status
    assert reply.headers["content-type"].endswith("problem+json") == (status != 200)


async def test_a_body_that_is_missing_is_named() -> None:
    reply = await build().post("/v1/word", content=b"")

    assert reply.json()["errors"][0]["field"] == "body"
