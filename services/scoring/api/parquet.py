"""Parquet as an export writes it, piece by piece.

Nobody imports this at the start: pyarrow costs each process 30 MB, and most never write a file.
"""

import io
from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from services.scoring.api.files import PARQUET
from services.scoring.domain.spreadsheet import Cells, Column, Kind

GROUP_ROWS: Final = 20_000
GROUP_BYTES: Final = 8 * 1024 * 1024
_TYPES: Final = {
    Kind.TEXT: pa.string(),
    Kind.TEXTS: pa.list_(pa.string()),
    Kind.WHOLE: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.FLAG: pa.bool_(),
    Kind.MOMENT: pa.timestamp("us", tz="UTC"),
}


class ParquetFile:
    """Row groups of at most 20,000 rows, begun anew at 8 MiB. Without its end it cannot be read."""

    media = PARQUET

    def __init__(self, columns: Sequence[Column], facts: dict[str, str]) -> None:
        fields = [pa.field(column.name, _TYPES[column.kind]) for column in columns]
        self._schema = pa.schema(fields, metadata=facts)
        self._sink = _Sink()
        self._writer = pq.ParquetWriter(self._sink, self._schema)
        self._waiting: list[Any] = []

    def add(self, rows: Sequence[Cells]) -> bytes:
        columns = zip(*rows, strict=True)
        arrays = [
            pa.array(values, type=field.type)
            for values, field in zip(columns, self._schema, strict=True)
        ]
        self._waiting.append(pa.record_batch(arrays, schema=self._schema))
        rows_waiting = sum(batch.num_rows for batch in self._waiting)
        if rows_waiting >= GROUP_ROWS or sum(b.nbytes for b in self._waiting) >= GROUP_BYTES:
            self._write()
        return self._sink.take()

    def finish(self) -> bytes:
        self._write()
        self._writer.close()
        return self._sink.take()

    def _write(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting, self._schema))
            self._waiting.clear()


class _Sink(io.RawIOBase):
    """Where the writer writes: what it wrote is taken away, its position goes on."""

    def __init__(self) -> None:
        super().__init__()
        self._written: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        written = bytes(piece)
        self._written.append(written)
        self._position += len(written)
        return len(written)

    def tell(self) -> int:
        return self._position

    def take(self) -> bytes:
        taken = b"".join(self._written)
        self._written.clear()
        return taken
