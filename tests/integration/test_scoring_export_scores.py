"""The file of scores says what the replies say."""

import csv
import io
from datetime import datetime
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.scoring_api import get

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one application for all

PATH = "/v1/export/scores"


async def rows_of(client: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    reply = await client.get(PATH, params=query | {"format": "parquet"})
    assert reply.status_code == 200, reply.text
    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(reply.content)).to_pylist()
    return rows


def figures(group: Any) -> dict[str, object]:
    lower, upper = group["interval"] or (None, None)
    shown: dict[str, object] = {
        name: group[name] for name in ("n", "score", "design_effect", "sufficient")
    }
    counts: dict[str, object] = group["counts"]
    return shown | counts | {"lower": lower, "upper": upper}


@pytest.mark.parametrize(
    "query",
    [
        {"metric": "nps", "window": "24h"},
        {"metric": "nps", "by": "region,product"},
        {"metric": "ces", "by": "channel", "where": "region:B", "time": "event"},
        {"metric": "csat", "by": "region", "survey": "other", "window": "1h"},
    ],
)
async def test_the_file_says_of_each_group_what_the_reply_says(
    client: httpx.AsyncClient, query: Any
) -> None:
    body = await get(client, "/v1/scores", **query)
    rows = await rows_of(client, **query)

    assert len(rows) == len(body["groups"])
    for row, group in zip(rows, body["groups"], strict=True):
        wanted = figures(group) | {f"segment_{k}": v for k, v in group["segment"].items()}
        wanted |= {name: group[name] for name in ("invited", "response_rate")}
        least, most = group["response_rate_interval"] or (None, None)
        wanted |= {"response_rate_lower": least, "response_rate_upper": most}
        before = group["previous"] or dict.fromkeys(("n", "score", "change", "p_value"))
        wanted |= {
            "previous_n": before["n"],
            "previous_score": before["score"],
            "change": before["change"],
            "p_value": before["p_value"],
            "metric": query["metric"],
            "survey": query.get("survey"),
        }
        assert {name: row[name] for name in wanted} == pytest.approx(wanted)
        assert row["from"] == datetime.fromisoformat(body["from"])
        assert row["to"] == datetime.fromisoformat(body["to"])


async def test_with_buckets_each_point_of_the_trend_is_a_row(client: httpx.AsyncClient) -> None:
    query = {"metric": "nps", "by": "region", "bucket": "1h", "window": "24h"}
    body = await get(client, "/v1/trend", **query)
    rows = await rows_of(client, **query)
    whole = await rows_of(client, metric="nps", by="region", window="24h")

    points = [(group, point) for group in body["groups"] for point in group["points"]]
    assert len(rows) == len(points) > 48
    for row, (group, point) in zip(rows, points, strict=True):
        wanted = figures(point) | {"segment_region": group["segment"]["region"]}
        assert {name: row[name] for name in wanted} == pytest.approx(wanted)
        assert row["from"] == datetime.fromisoformat(point["from"])
        assert row["to"] == datetime.fromisoformat(point["to"])
    for row in rows:
        if row["invited"]:
            assert row["response_rate_lower"] <= row["response_rate"] <= row["response_rate_upper"]
        else:
            assert row["response_rate_lower"] is row["response_rate_upper"] is None
    for group in whole:
        mine = [row for row in rows if row["segment_region"] == group["segment_region"]]
        assert sum(row["invited"] for row in mine) == group["invited"]
    assert sum(group["invited"] for group in whole) > 0


async def test_as_text_a_negative_score_stays_a_number(client: httpx.AsyncClient) -> None:
    query = {"metric": "nps", "by": "region,product"}
    reply = await client.get(PATH, params=query)
    lines = list(csv.DictReader(io.StringIO(reply.text, newline="")))
    arrow = await client.get(PATH, params=query | {"format": "parquet"})
    rows = pq.read_table(io.BytesIO(arrow.content))

    assert rows.schema.field("score").type == pa.float64()
    assert rows.schema.field("sufficient").type == pa.bool_()
    scores = [float(line["score"]) for line in lines if line["score"]]
    assert scores == [row["score"] for row in rows.to_pylist() if row["score"] is not None]
    assert min(scores) < 0
    assert reply.headers["content-disposition"].endswith('.csv"')


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "metric"),
        ({"metric": "nps", "format": "xml"}, "format"),
        ({"metric": "nps", "by": "colour"}, "by"),
        ({"metric": "nps", "bucket": "5m"}, "bucket"),
        ({"metric": "nps", "tz": "Mars/Olympus"}, "tz"),
        ({"metric": "nps", "bucket": "1h", "from": "2025-01-01T00:00:00Z"}, "bucket"),
        ({"metric": "nps", "limit": "3"}, "limit"),
        ({"metric": "nps", "survey": "nobody's"}, "survey"),
    ],
)
async def test_a_bad_question_names_its_field(
    client: httpx.AsyncClient, query: Any, field: str
) -> None:
    reply = await client.get(PATH, params=query)

    assert reply.status_code == 422
    (fault,) = reply.json()["errors"]
    assert fault["field"] == field
