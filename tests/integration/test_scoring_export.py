"""Whole files of answers: the same as the list, made in bounded memory, never half and silent."""

import asyncio
import csv
import io
import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring.api.download import DOWNLOADS_AT_MOST, Download
from services.scoring.api.parquet import GROUP_ROWS
from services.scoring.domain.windows import Window
from services.scoring.store import driver_of
from services.scoring.store.exporting import read_answers
from services.scoring.store.searching import Search
from shared.db import open_engine
from tests.support.downloads import Taker
from tests.support.scoring_api import NOW, build_client, fill, get

MANY = 22_000
PATH = "/v1/export/responses"
INSERT = """
    INSERT INTO answers (id, answered_at, digest, invited, metric, scale, score, segments, reasons,
                         comment, received_at)
    SELECT 'm-' || n, '2026-09-22T10:00:00Z'::timestamptz - n * interval '1 minute', '0',
           false, 'ces', 7, 1 + n % 7, jsonb_build_object('region', 'M' || n % 10),
           '["late"]', repeat('=long ', 30), now()
    FROM generate_series(1, :many) AS n
"""
LONG_AGO = {"from": "2026-01-01T00:00:00Z", "to": "2026-10-01T00:00:00Z"}


@pytest.fixture(scope="module")
def filled(database_url: str) -> str:
    fill(database_url)

    async def more() -> None:
        async with open_engine(database_url, schema="scoring") as engine, engine.begin() as work:
            await work.execute(sa.text(INSERT), {"many": MANY})

    asyncio.run(more())
    return database_url


@pytest.fixture
async def engine(filled: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(filled, schema="scoring") as opened:
        yield opened


@pytest.fixture
async def client(engine: AsyncEngine) -> AsyncIterator[httpx.AsyncClient]:
    opened, _ = build_client(engine)
    async with opened:
        yield opened


def app_of(client: httpx.AsyncClient) -> Any:
    transport: Any = client._transport  # noqa: SLF001 - httpx waits for the whole body
    return transport.app


async def listed(client: httpx.AsyncClient, **query: Any) -> list[Any]:
    items: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = await get(client, "/v1/responses", limit=200, **query, **cursor)
        items += page["items"]
        if page["next"] is None:
            return items
        cursor = {"cursor": page["next"]}


def shown(item: Any) -> dict[str, str]:
    """An answer of the list as a line of the file."""
    plain = {
        name: "" if item[name] is None else str(item[name])
        for name in ("id", "survey", "metric", "score", "class", "touchpoint", "customer_id")
    }
    segments = {
        f"segment_{name}": item["segments"].get(name, "")
        for name in ("region", "product", "channel", "touchpoint")
    }
    return {
        **plain,
        **segments,
        "scale_low": str(item["scale"][0]),
        "scale_high": str(item["scale"][1]),
        "language": item["language"] or "",
        "comment": item["comment"] or "",
        "reasons": ";".join(item["reasons"]),
    }


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"metric": "nps", "where": "region:B", "class": "detractor"},
        {"reason": "late", "time": "event"},
        {"q": "nobody said this"},
    ],
)
async def test_the_file_holds_what_the_list_shows_in_its_order(
    client: httpx.AsyncClient, query: Any
) -> None:
    items = await listed(client, **query)

    reply = await client.get(PATH, params=query)
    lines = list(csv.DictReader(io.StringIO(reply.text, newline="")))
    arrow = await client.get(PATH, params=query | {"format": "parquet"})
    rows = pq.read_table(io.BytesIO(arrow.content)).to_pylist()

    assert [
        {name: line[name] for name in shown(item)} for line, item in zip(lines, items, strict=True)
    ] == [shown(item) for item in items]
    for item, line, row in zip(items, lines, rows, strict=True):
        at = datetime.fromisoformat(item["answered_at"])
        assert datetime.fromisoformat(line["answered_at"]) == row["answered_at"] == at
        assert (line["event_at"] == "") == (row["event_at"] is None) == (item["event_at"] is None)
        assert row["reasons"] == item["reasons"]
        assert (row["id"], row["score"]) == (item["id"], item["score"])
        assert row["segment_region"] == item["segments"].get("region")


async def test_the_reply_says_what_it_is(client: httpx.AsyncClient) -> None:
    query = {"from": "2026-11-01T00:00:00Z", "to": "2026-11-30T00:00:00Z"}

    reply = await client.get(PATH, params=query)
    arrow = await client.get(PATH, params=query | {"format": "parquet"})
    schema = pq.read_schema(io.BytesIO(arrow.content))

    assert reply.headers["content-type"].startswith("text/csv; charset=utf-8")
    name = 'attachment; filename="earshot-responses-2026-11-01-2026-11-30'
    assert reply.headers["content-disposition"] == f'{name}.csv"'
    assert arrow.headers["content-disposition"] == f'{name}.parquet"'
    assert datetime.fromisoformat(reply.headers["earshot-as-of"]) == NOW
    assert reply.headers["earshot-behind-s"] == "0.25"
    assert reply.content.startswith(b'"id","survey","metric",')
    assert schema.field("answered_at").type == pa.timestamp("us", tz="UTC")
    assert schema.field("reasons").type.value_type == pa.string()
    assert schema.metadata[b"earshot-to"] == b"2026-11-30T00:00:00+00:00"


async def test_row_groups_hold_a_bounded_number_of_answers(client: httpx.AsyncClient) -> None:
    arrow = await client.get(PATH, params=LONG_AGO | {"format": "parquet"})

    file = pq.ParquetFile(io.BytesIO(arrow.content))
    sizes = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    assert sizes == [GROUP_ROWS, MANY - GROUP_ROWS]


@pytest.mark.thorough
@pytest.mark.parametrize("form", ["csv", "parquet"])
async def test_many_answers_pass_through_little_memory(fresh_database_url: str, form: str) -> None:
    """Ten times as much as may be held at a time; Arrow's own memory is counted too."""
    most_of_arrow = 0

    async def look() -> None:
        nonlocal most_of_arrow
        most_of_arrow = max(most_of_arrow, pa.total_allocated_bytes())

    async with open_engine(fresh_database_url, schema="scoring") as engine:
        async with engine.begin() as work:
            await work.execute(sa.text(INSERT), {"many": 60_000})
        client, _ = build_client(engine)
        taker = Taker(look, keep=False)
        await look()
        tracemalloc.start()
        await taker.take(app_of(client), PATH, format=form, **LONG_AGO)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

    assert taker.complete
    assert taker.size > (15_000_000 if form == "csv" else 500_000)
    assert peak + most_of_arrow < 12_000_000


async def test_nothing_is_made_ahead_of_a_slow_client() -> None:
    made: list[int] = []
    gate = asyncio.Event()

    async def pieces() -> Any:
        for number in range(5):
            made.append(number)
            yield b"x" * 100_000

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await (await Download.begin(pieces(), {}))(scope, receive, send)

    taker = Taker(gate.wait)
    task = asyncio.create_task(taker.take(app, "/"))
    await asyncio.sleep(0.05)
    assert made == [0]
    gate.set()
    await task
    assert (taker.size, taker.complete) == (500_000, True)


async def test_the_time_out_counts_for_each_chunk(engine: AsyncEngine) -> None:
    window = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC))
    async with engine.connect() as plain:
        connection = await driver_of(plain)
        await connection.execute("SET LOCAL statement_timeout = '500ms'")
        sizes = []
        async for rows in read_answers(connection, Search(window), ["region"]):
            sizes.append(len(rows))
            if len(sizes) <= 3:
                await asyncio.sleep(0.2)

    assert sizes == [2_000] * 11


async def test_a_client_that_leaves_ends_the_query(
    engine: AsyncEngine, client: httpx.AsyncClient
) -> None:
    for _ in range(DOWNLOADS_AT_MOST + 1):
        taker = Taker(lambda: asyncio.sleep(0.01))
        task = asyncio.create_task(taker.take(app_of(client), PATH, **LONG_AGO))
        while taker.size == 0:
            await asyncio.sleep(0.005)
        taker.leave()
        await asyncio.wait_for(task, 5)
        assert not taker.complete

    pool: Any = engine.pool
    async with asyncio.timeout(5):
        while pool.checkedout():
            await asyncio.sleep(0.01)
    async with engine.connect() as connection:
        busy = sa.text(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'FETCH %'"
            " AND state <> 'idle' AND datname = current_database()"
        )
        assert (await connection.execute(busy)).scalar_one() == 0


async def test_only_so_many_files_are_made_at_a_time(client: httpx.AsyncClient) -> None:
    gate = asyncio.Event()
    takers = [Taker(gate.wait) for _ in range(DOWNLOADS_AT_MOST)]
    tasks = [asyncio.create_task(one.take(app_of(client), PATH, **LONG_AGO)) for one in takers]
    while not all(taker.status for taker in takers):
        await asyncio.sleep(0.01)

    refused = await client.get(PATH)
    for taker in takers:
        taker.leave()
    await asyncio.gather(*tasks)
    later = await client.get(PATH)

    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "10"
    assert later.status_code == 200


@pytest.mark.parametrize("form", ["csv", "parquet"])
async def test_half_a_file_never_ends_like_a_whole_one(
    engine: AsyncEngine, client: httpx.AsyncClient, form: str
) -> None:
    gate = asyncio.Event()
    taker = Taker(gate.wait)
    task = asyncio.create_task(taker.take(app_of(client), PATH, format=form, **LONG_AGO))
    while not taker.status:
        await asyncio.sleep(0.01)
    async with engine.connect() as connection:
        await connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE query LIKE 'FETCH %' AND datname = current_database()"
            )
        )
    gate.set()
    with pytest.raises(RuntimeError, match="response already started"):
        await task

    assert not taker.complete
    if form == "parquet":
        with pytest.raises(pa.ArrowInvalid):
            pq.read_table(io.BytesIO(b"".join(taker.taken)))


@pytest.mark.parametrize(
    ("query", "field", "told"),
    [
        ({"format": "xlsx"}, "format", "csv or parquet"),
        ({"limit": "5"}, "limit", ""),
        ({"where": "colour:red"}, "where", "region"),
        ({"window": "2h"}, "window", "24h"),
    ],
)
async def test_a_bad_question_is_answered_before_any_file_begins(
    client: httpx.AsyncClient, query: Any, field: str, told: str
) -> None:
    reply = await client.get(PATH, params=query)

    assert reply.status_code == 422
    (fault,) = reply.json()["errors"]
    assert fault["field"] == field
    assert told in fault["accepted"]
