"""The chassis in process: problems, limits, unknown parameters, health, keys."""

import asyncio
import json
from pathlib import Path

import pytest

from shared.errors import Invalid
from shared.keys import KeyFile, new_key
from shared.stream.pipeline import Health
from shared.web import Parts, decode_cursor, encode_cursor, page_of, probes
from tests.support.web import FAULT, build


async def test_a_fault_names_field_value_and_what_is_accepted() -> None:
    reply = await build().get("/v1/faults/invalid")

    assert reply.status_code == 422
    assert reply.headers["content-type"] == "application/problem+json"
    body = reply.json()
    assert body["title"] == "Unprocessable Content"
    assert body["errors"] == [FAULT.to_json()]
    assert "answers.score" in body["detail"]


async def test_later_says_when() -> None:
    reply = await build().get("/v1/faults/later")

    assert (reply.status_code, reply.headers["retry-after"]) == (503, "7")


async def test_weather_is_a_503_that_may_be_tried_again() -> None:
    reply = await build().get("/v1/faults/database")

    assert reply.status_code == 503
    assert reply.headers["content-type"] == "application/problem+json"
    assert int(reply.headers["retry-after"]) > 0


async def test_a_bug_is_a_500_that_tells_nothing_of_itself() -> None:
    reply = await build().get("/v1/faults/bug")

    assert reply.status_code == 500
    assert reply.headers["content-type"] == "application/problem+json"
    assert "Zero" not in reply.text


async def test_an_unknown_parameter_is_refused_with_the_nearest_known() -> None:
    reply = await build().get("/v1/things?limt=3")

    assert reply.status_code == 422
    assert reply.json()["errors"][0]["accepted"] == "did you mean limit?"


async def test_a_parameter_told_twice_is_refused_where_one_value_is_taken() -> None:
    twice = await build().get("/v1/things?limit=3&limit=4")
    several = await build().get("/v1/things?tag=a&tag=b")

    assert twice.status_code == 422
    assert twice.json()["errors"] == [
        {
            "field": "limit",
            "code": "out-of-range",
            "value": "3, 4",
            "accepted": "one value, told once",
        }
    ]
    assert several.status_code == 200


@pytest.mark.parametrize("value", ["0", "501", "many"])
async def test_a_parameter_out_of_range_is_refused(value: str) -> None:
    reply = await build().get(f"/v1/things?limit={value}")

    assert reply.status_code == 422
    assert reply.json()["errors"][0]["field"] == "limit"


async def test_a_check_that_hangs_is_a_fault_and_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = 0

    async def hang() -> str | None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(60)
        return None

    async def breaks() -> str | None:
        raise ConnectionRefusedError

    monkeypatch.setattr(probes, "PROBE_S", 0.02)
    client = build(Parts(needed={"a": hang}, named={"b": breaks}))
    await client.get("/readyz")
    reply = await client.get("/readyz")

    assert asked == 1  # what hangs is not asked again meanwhile
    assert reply.status_code == 503
    assert reply.json()["parts"] == {"a": "no answer within 0.02 s", "b": "ConnectionRefusedError"}


@pytest.mark.parametrize("path", ["/nowhere", "/v1/things/"])
async def test_what_does_not_exist_is_a_problem_too(path: str) -> None:
    reply = await build().get(path)

    assert (reply.status_code, reply.json()["title"]) == (404, "Not Found")


async def test_readiness_names_each_part_and_only_needed_parts_decide() -> None:
    async def away() -> str | None:
        return "connection refused"

    async def fine() -> str | None:
        return None

    named = await build(Parts(needed={"database": fine}, named={"mail": away})).get("/readyz")
    needed = await build(Parts(needed={"database": away})).get("/readyz")

    assert (named.status_code, named.json()["parts"]["mail"]) == (200, "connection refused")
    assert (needed.status_code, needed.json()["status"]) == (503, "not ready")


async def test_liveness_is_the_loop_turning() -> None:
    loop = Health()
    client = build(Parts(loops=[loop]))
    assert (await client.get("/healthz")).status_code == 200

    loop.turned_at -= 61

    assert (await client.get("/healthz")).status_code == 503


async def test_metrics_count_by_route_never_by_path() -> None:
    client = build()
    await client.get("/v1/faults/invalid")

    text = (await client.get("/metrics")).text

    assert (
        'earshot_http_requests_total{code="422",method="GET",route="/v1/faults/{kind}"} 1' in text
    )
    assert "faults/invalid" not in text


async def test_a_key_is_asked_for_where_there_is_a_file(tmp_path: Path) -> None:
    text, digest = new_key("ops")
    path = tmp_path / "keys.json"
    path.write_text(json.dumps([{"id": "ops", "sha256": digest, "scopes": ["alerts:read"]}]))
    client = build(keys=KeyFile(path))

    without = await client.get("/v1/closed")
    lacking = await client.get("/v1/closed", headers={"authorization": f"Bearer {text}"})

    assert (without.status_code, lacking.status_code) == (401, 403)
    assert "scores:read" in lacking.json()["detail"]
    assert (await build().get("/v1/closed")).status_code == 200


def test_a_page_ends_where_nothing_follows() -> None:
    page = page_of([1, 2, 3], 2, lambda row: [row])

    assert (page.items, decode_cursor(page.next or "", 1)) == ([1, 2], [2])
    assert page_of([1, 2], 2, lambda row: [row]).next is None


@pytest.mark.parametrize("cursor", ["x", "!!", encode_cursor([1, 2]), ""])
def test_a_foreign_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid):
        decode_cursor(cursor, 1)
