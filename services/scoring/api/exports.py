"""`GET /v1/export/responses` and `GET /v1/export/scores`: whole files, made while they are sent."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response

from services.scoring.api.answers import Narrow
from services.scoring.api.download import Download, Slots
from services.scoring.api.files import CsvFile, File, ParquetFile
from services.scoring.api.parameters import Cut, Span
from services.scoring.api.reading import Reading
from services.scoring.domain.spreadsheet import Cells, Column
from services.scoring.domain.windows import Window
from services.scoring.store.exporting import answer_columns, answer_row, read_answers
from services.scoring.store.searching import Search
from shared.keys import require_scope

Format = Annotated[Literal["csv", "parquet"], Query(alias="format")]


def build_exports(reading: Reading) -> APIRouter:
    """The routes for files; at most four are made at a time."""
    router = APIRouter(tags=["exports"])
    slots = Slots()

    @router.get(
        "/v1/export/responses",
        summary="All answers of a question as one file, newest first",
        dependencies=[Depends(require_scope("responses:read"))],
        response_class=Response,
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
        file = _file(form, answer_columns(tuple(reading.dimensions)), facts)
        pieces = _answers(search, file, reading, slots)
        return await Download.begin(pieces, _headers("responses", form, file, facts))

    return router


async def _answers(
    search: Search, file: File, reading: Reading, slots: Slots
) -> AsyncGenerator[bytes, None]:
    with slots:
        async with reading.snapshot() as connection:
            # our own bounds on a slow client take its place: a snapshot locks nobody's rows
            await connection.execute("SET LOCAL idle_in_transaction_session_timeout = '10min'")
            chunks = read_answers(
                connection,
                search,
                tuple(reading.dimensions),
                values_at_most=reading.values_at_most,
            )
            async with aclosing(chunks):
                async for rows in chunks:
                    yield await asyncio.to_thread(_add, file, rows, answer_row)
        yield await asyncio.to_thread(file.finish)


def _add(file: File, rows: Sequence[Any], cells_of: Callable[[Any], Cells]) -> bytes:
    return file.add([cells_of(row) for row in rows])


def _file(form: str, columns: Sequence[Column], facts: dict[str, str]) -> File:
    return CsvFile(columns) if form == "csv" else ParquetFile(columns, facts)


def _facts(window: Window, as_of: datetime, reading: Reading) -> dict[str, str]:
    """What a reply says of itself; a file has no other place for it."""
    return {
        "earshot-from": window.start.isoformat(),
        "earshot-to": window.end.isoformat(),
        "earshot-as-of": as_of.astimezone(UTC).isoformat(),
        "earshot-behind-s": f"{reading.behind():g}",
    }


def _headers(what: str, form: str, file: File, facts: dict[str, str]) -> dict[str, str]:
    days = f"{facts['earshot-from'][:10]}-{facts['earshot-to'][:10]}"
    return {
        "Content-Type": file.media,
        "Content-Disposition": f'attachment; filename="earshot-{what}-{days}.{form}"',
        "Cache-Control": "no-store",
        **facts,
    }
