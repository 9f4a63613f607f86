"""`GET /v1/export/responses` and `GET /v1/export/scores`: whole files, made while they are sent."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from typing import Annotated, Any, Literal

import asyncpg
from fastapi import APIRouter, Depends, Query, Response

from services.scoring.api.answers import Narrow
from services.scoring.api.asked import check_survey, read_asked
from services.scoring.api.download import Download, Slots
from services.scoring.api.files import PARQUET, CsvFile, File
from services.scoring.api.paging import Paged
from services.scoring.api.parameters import Cut, MetricName, Span
from services.scoring.api.reading import Reading
from services.scoring.api.score_rows import read_points, read_scores, score_columns
from services.scoring.api.trend import Bucket, read_buckets, read_zone
from services.scoring.domain.spreadsheet import Column
from services.scoring.domain.windows import Window
from services.scoring.store.exporting import answer_columns, answer_row, read_answers
from shared.keys import require_scope

Format = Annotated[Literal["csv", "parquet"], Query(alias="format")]


@dataclass
class Grouped:
    """Which groups, and over time if there are buckets."""

    by: Annotated[str | None, Query(description="at most two dimensions, with a comma")] = None
    bucket: Annotated[Bucket | None, Query(description="a row for each; default one")] = None
    tz: Annotated[str | None, Query(max_length=100, description="time zone of days")] = None

    def read_buckets(self, window: Window, reading: Reading) -> list[Window] | None:
        """The buckets, or None where none are asked for. Raises Invalid."""
        zone = read_zone(reading.timezone if self.tz is None else self.tz)
        return None if self.bucket is None else read_buckets(window, self.bucket, zone)


_FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            CsvFile.media: {"schema": {"type": "string"}},
            PARQUET: {"schema": {"type": "string", "format": "binary"}},
        }
    }
}
Rows = AsyncGenerator[list[Any], None]


def build_exports(reading: Reading) -> APIRouter:
    """The routes for files; at most four are made at a time."""
    router = APIRouter(tags=["exports"])
    slots = Slots()
    _add_responses(router, reading, slots)
    _add_scores(router, reading, slots)
    return router


def _add_responses(router: APIRouter, reading: Reading, slots: Slots) -> None:
    @router.get(
        "/v1/export/responses",
        summary="All answers of a question as one file, newest first",
        dependencies=[Depends(require_scope("responses:read"))],
        response_class=Response,
        responses=_FILES,
    )
    async def export_responses(
        span: Annotated[Span, Depends()],
        cut: Annotated[Cut, Depends()],
        narrow: Annotated[Narrow, Depends()],
        form: Format = "csv",
    ) -> Response:
        as_of = span.as_of or reading.now()
        search = narrow.search(span, cut, as_of, reading)
        facts = _facts(search.window, as_of, reading)
        dimensions = tuple(reading.dimensions)
        file = await _file(form, answer_columns(dimensions), facts)

        async def read(connection: asyncpg.Connection) -> Rows:
            await check_survey(connection, cut.survey, reading)
            return read_answers(
                connection, search, dimensions, values_at_most=reading.values_at_most
            )

        def add(rows: list[Any]) -> bytes:
            return file.add([answer_row(row) for row in rows])

        async def pieces() -> AsyncGenerator[bytes, None]:
            async with _open(slots, reading, read) as found:
                async for rows in found:
                    yield await asyncio.to_thread(add, rows)
            yield await asyncio.to_thread(file.finish)

        return await Download.begin(pieces(), _headers("responses", form, file, facts))


def _add_scores(router: APIRouter, reading: Reading, slots: Slots) -> None:
    @router.get(
        "/v1/export/scores",
        summary="All groups of a question as one file, in falling n; with bucket, over time",
        dependencies=[Depends(require_scope("scores:read"))],
        response_class=Response,
        responses=_FILES,
    )
    async def export_scores(
        metric: MetricName,
        span: Annotated[Span, Depends()],
        cut: Annotated[Cut, Depends()],
        grouped: Annotated[Grouped, Depends()],
        form: Format = "csv",
    ) -> Response:
        asked = read_asked(metric, span, cut, Paged(by=grouped.by), reading)
        windows = grouped.read_buckets(asked.window, reading)
        facts = _facts(asked.window, asked.as_of, reading)
        columns = score_columns(asked.question.by, bucketed=windows is not None)
        file = await _file(form, columns, facts)

        async def read(connection: asyncpg.Connection) -> Rows:
            await check_survey(connection, cut.survey, reading)
            if windows is None:
                return read_scores(connection, asked, reading)
            return read_points(connection, asked, windows, reading)

        async def pieces() -> AsyncGenerator[bytes, None]:
            async with _open(slots, reading, read) as found:
                async for rows in found:
                    yield await asyncio.to_thread(file.add, rows)
            yield await asyncio.to_thread(file.finish)

        return await Download.begin(pieces(), _headers("scores", form, file, facts))


@asynccontextmanager
async def _open(
    slots: Slots, reading: Reading, read: Callable[[asyncpg.Connection], Awaitable[Rows]]
) -> AsyncIterator[Rows]:
    """The rows of one export, in a slot and a snapshot of its own."""
    with slots:
        async with reading.snapshot() as connection:
            # our own bounds on a slow client take its place: a snapshot locks nobody's rows
            await connection.execute("SET LOCAL idle_in_transaction_session_timeout = '10min'")
            async with aclosing(await read(connection)) as rows:
                yield rows


async def _file(form: str, columns: Sequence[Column], facts: dict[str, str]) -> File:
    if form == "csv":
        return CsvFile(columns)
    # in a thread, for the first costs a tenth of a second; `parquet` says why it is read here
    module = await asyncio.to_thread(import_module, "services.scoring.api.parquet")
    file: File = module.ParquetFile(columns, facts)
    return file


def _facts(window: Window, as_of: datetime, reading: Reading) -> dict[str, str]:
    """What a reply says of itself; a file has no other place for it."""
    behind_s = reading.behind()
    return {
        "earshot-from": window.start.isoformat(),
        "earshot-to": window.end.isoformat(),
        "earshot-as-of": as_of.astimezone(UTC).isoformat(),
        "earshot-behind-s": "unknown" if behind_s is None else f"{behind_s:g}",
    }


def _headers(what: str, form: str, file: File, facts: dict[str, str]) -> dict[str, str]:
    days = f"{facts['earshot-from'][:10]}-{facts['earshot-to'][:10]}"
    return {
        "Content-Type": file.media,
        "Content-Disposition": f'attachment; filename="earshot-{what}-{days}.{form}"',
        "Cache-Control": "no-store",
        **facts,
    }
