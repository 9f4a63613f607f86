"""A file that an export writes, piece by piece; CSV. `parquet` has the other kind."""

from collections.abc import Sequence
from typing import Final, Protocol

from services.scoring.domain.spreadsheet import Cells, Column, csv_text

PARQUET: Final = "application/vnd.apache.parquet"


class File(Protocol):
    """A file in the making. Each call returns the bytes that are ready, which may be none."""

    media: str

    def add(self, rows: Sequence[Cells]) -> bytes: ...

    def finish(self) -> bytes: ...


class CsvFile:
    """RFC 4180 in UTF-8, without a byte order mark; the first line names the columns."""

    media = "text/csv; charset=utf-8; header=present"

    def __init__(self, columns: Sequence[Column]) -> None:
        self._head = [csv_text([[column.name for column in columns]])]

    def add(self, rows: Sequence[Cells]) -> bytes:
        return "".join([*self._take_head(), csv_text(rows)]).encode()

    def finish(self) -> bytes:
        return "".join(self._take_head()).encode()

    def _take_head(self) -> list[str]:
        head, self._head = self._head, []
        return head
