"""A bad question names its fault and what there is."""

from typing import Any

import httpx
import pytest

from shared.web import encode_cursor

AT = "2026-11-21T10:00:00+00:00"


def cursor(*values: Any) -> str:
    return encode_cursor(values)


pytestmark = pytest.mark.asyncio(loop_scope="module")  # one application for all


@pytest.mark.parametrize(
    ("path", "query", "field", "told"),
    [
        ("/v1/scores", {}, "metric", "nps, csat, ces"),
        ("/v1/scores", {"metric": ["nps", "csat"]}, "metric", "one value"),
        ("/v1/scores", {"metric": "nps", "by": ["region", "channel"]}, "by", "one value"),
        ("/v1/scores", {"metric": "stars"}, "metric", "nps, csat, ces"),
        ("/v1/scores", {"metric": "nps", "by": "regions"}, "by", "region"),
        ("/v1/scores", {"metric": "nps", "by": "colour"}, "by", "channel, product, region"),
        ("/v1/scores", {"metric": "nps", "by": "region,product,channel"}, "by", "at most two"),
        ("/v1/scores", {"metric": "nps", "by": "region,region"}, "by", "each once"),
        (
            "/v1/scores",
            {"metric": "nps", "by": "region,product", "where": ["channel:web", "touchpoint:x"]},
            "by",
            "at most three",
        ),
        ("/v1/scores", {"metric": "nps", "where": "colour:red"}, "where", "channel, product"),
        ("/v1/scores", {"metric": "nps", "where": "region"}, "where", "dimension:value"),
        ("/v1/scores", {"metric": "nps", "where": "region: "}, "where", "dimension:value"),
        ("/v1/scores", {"metric": "nps", "window": "2h"}, "window", "24h"),
        ("/v1/scores", {"metric": "nps", "windows": "1h"}, "windows", "window"),
        ("/v1/scores", {"metric": "nps", "from": "yesterday"}, "from", ""),
        ("/v1/scores", {"metric": "nps", "from": "2026-01-01T00:00:00"}, "from", "offset"),
        (
            "/v1/scores",
            {"metric": "nps", "from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"},
            "from",
            "before `to`",
        ),
        (
            "/v1/scores",
            {"metric": "nps", "from": "1980-01-01T00:00:00Z", "to": "2190-01-01T00:00:00Z"},
            "from",
            "at most",
        ),
        ("/v1/scores", {"metric": "nps", "from": "1890-01-01T00:00:00Z"}, "from", "1971"),
        (
            "/v1/scores",
            {"metric": "nps", "from": "2026-01-01T00:00:00Z", "window": "1h"},
            "window",
            "window, or from and to",
        ),
        ("/v1/scores", {"metric": "nps", "limit": "-1"}, "limit", ""),
        ("/v1/scores", {"metric": "nps", "limit": "501"}, "limit", "500"),
        ("/v1/scores", {"metric": "nps", "cursor": "x"}, "cursor", "page before"),
        ("/v1/trend", {"metric": "nps", "bucket": "5m"}, "bucket", "1h"),
        ("/v1/trend", {"metric": "nps", "tz": "Mars/Olympus"}, "tz", "Europe/Berlin"),
        (
            "/v1/trend",
            {"metric": "nps", "bucket": "1h", "from": "2025-01-01T00:00:00Z"},
            "bucket",
            "longer bucket",
        ),
        ("/v1/responses", {"class": "angry"}, "class", "detractor"),
        ("/v1/responses", {"by": "region"}, "by", ""),
        ("/v1/responses", {"cursor": "WzEsMiwzXQ"}, "cursor", "page before"),
        ("/v1/responses", {"cursor": cursor(AT, "\0", AT, "answered")}, "cursor", "page before"),
        (
            "/v1/responses",
            {"cursor": cursor("0001-01-01", "r-1", AT, "answered")},
            "cursor",
            "page before",
        ),
        ("/v1/scores", {"metric": "nps", "cursor": cursor(AT, 1, 1)}, "cursor", "page before"),
        ("/v1/scores", {"metric": "nps", "as_of": "0001-01-01T00:00:00Z"}, "as_of", "1971"),
        ("/v1/scores", {"metric": "nps", "to": "9999-01-01T00:00:00Z"}, "to", "2199"),
        ("/v1/segments", {"metric": "nps"}, "metric", ""),
        ("/v1/segments", {"limit": "-1"}, "limit", ""),
        ("/v1/responses", {"metric": "stars"}, "metric", "nps, csat, ces"),
        ("/v1/responses", {"survey": "nobody's"}, "survey", "other"),
        ("/v1/responses", {"limit": "-1"}, "limit", ""),
        ("/v1/responses", {"limit": "501"}, "limit", "500"),
        ("/v1/responses", {"reason": "x" * 201}, "reason", "200"),
        ("/v1/responses", {"q": ""}, "q", "1"),
        ("/v1/responses", {"time": "received"}, "time", "answered or event"),
        ("/v1/responses", {"cursor": cursor(AT, 3, AT, "event")}, "cursor", "page before"),
        (
            "/v1/responses",
            {"cursor": cursor(AT, "r-1", AT, "answered"), "time": "event"},
            "cursor",
            "page before",
        ),
        ("/v1/scores", {"metric": "nps", "survey": "post-delivry"}, "survey", "post-delivery"),
        ("/v1/scores", {"metric": "nps", "survey": "zzz"}, "survey", "surveys: other, post-deliv"),
        ("/v1/scores", {"metric": "nps", "survey": ""}, "survey", "1"),
        ("/v1/trend", {"metric": "nps", "survey": "zzz"}, "survey", "post-delivery"),
        ("/v1/stream", {"metric": "nps", "survey": "zzz"}, "survey", "post-delivery"),
        ("/v1/stream", {"metric": "nps", "window": "2h"}, "window", "24h"),
        ("/v1/stream", {"metric": "nps", "by": "colour"}, "by", "channel, product, region"),
        ("/v1/stream", {"metric": "nps", "where": "region"}, "where", "dimension:value"),
        ("/v1/stream", {"metric": "stars"}, "metric", "nps, csat, ces"),
        ("/v1/scores", {"metric": "nps", "against": "rest"}, "against", "beside by"),
        ("/v1/scores", {"metric": "nps", "against": "region:EU"}, "against", "beside by"),
        ("/v1/scores", {"metric": "nps", "by": "region", "against": "EU"}, "against", "dimension:"),
        (
            "/v1/scores",
            {"metric": "nps", "by": "region", "against": "colour:red"},
            "against",
            "channel, product, region",
        ),
        (
            "/v1/scores",
            {"metric": "nps", "by": "region", "against": "channel:web"},
            "against",
            "one value each of region, such as region:value: other dimensions overlap",
        ),
        (
            "/v1/scores",
            {"metric": "nps", "by": "region,product", "against": "region:EU"},
            "against",
            "one value each of region, product",
        ),
        (
            "/v1/scores",
            {"metric": "nps", "by": "region", "against": ["rest", "region:A"]},
            "against",
            "dimension:value",
        ),
        (
            "/v1/scores",
            {"metric": "nps", "by": "region", "against": ["region:A", "region:B"]},
            "against",
            "one value each of region",
        ),
        (
            "/v1/scores",
            {"metric": "nps", "cursor": cursor(AT, 1, ["A"])},
            "cursor",
            "page before",
        ),
        (
            "/v1/scores",
            {"metric": "nps", "cursor": cursor(AT, 1, ["A"], "0123abcd")},
            "cursor",
            "page before",
        ),
        ("/v1/trend", {"metric": "nps", "tz": ""}, "tz", "Europe/Berlin"),
        ("/v1/trend", {"metric": "nps", "against": "rest"}, "against", "known: as_of"),
        ("/v1/trend", {"metric": "nps", "limit": "0"}, "limit", "1"),
        ("/v1/trend", {"metric": "nps", "to": "2026-02-30T00:00:00Z"}, "to", ""),
        ("/v1/trend", {"metric": "nps", "time": "sent"}, "time", "answered or event"),
        ("/v1/stream", {"metric": "nps", "from": AT}, "from", "known: by, metric"),
        ("/v1/reasons", {"metric": "nps", "survey": "zzz"}, "survey", "post-delivery"),
        ("/v1/reasons", {"metric": "nps", "limit": "-1"}, "limit", ""),
        ("/v1/reasons", {"metric": "nps", "by": "colour"}, "by", "channel, product, region"),
        ("/v1/coverage", {"survey": "zzz"}, "survey", "post-delivery"),
        ("/v1/coverage", {"by": "colour"}, "by", "channel, product, region"),
        ("/v1/coverage", {"metric": "nps"}, "metric", "known: as_of"),
        ("/v1/coverage", {"window": "2h"}, "window", "24h"),
    ],
)
async def test_a_bad_question_names_its_fault_and_what_there_is(
    client: httpx.AsyncClient, path: str, query: Any, field: str, told: str
) -> None:
    reply = await client.get(path, params=query)

    assert reply.status_code == 422, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    (fault,) = reply.json()["errors"]
    assert fault["field"] == field
    assert told in fault["accepted"]


async def test_a_plus_sign_that_nobody_escaped_is_understood(client: httpx.AsyncClient) -> None:
    path = "/v1/scores?metric=nps&from=2026-11-21T11:00:00+01:00&to=2026-11-21T12:00:00+01:00"

    reply = await client.get(path)

    assert reply.json()["from"] == "2026-11-21T10:00:00Z"
