"""A header whose name is not UTF-8: any client of librdkafka can send one.

aiokafka raises at its record for ever, and nothing behind it is read. Told to, it decodes by its
own Python code in place of its compiled one, and such a name comes with U+FFFD in it.
"""

from typing import Any, Final

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy

_MAGIC: Final = 16  # where a batch says its format
_WITH_HEADERS: Final = 2


def read_leniently() -> None:
    """From now on, in this process: several times slower, and through every record."""
    fetcher.MemoryRecords = _Records


class _Lenient(bytearray):
    """Text that is cut out of it is always decoded."""

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _Lenient(found) if isinstance(found, bytearray) else found

    def decode(self, encoding: str = "utf-8", errors: str = "replace") -> str:
        return bytes(self).decode(encoding, errors)


class _Batch(_DefaultRecordBatchPy):  # type: ignore[misc]
    _buffer: bytearray

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        if not isinstance(self._buffer, _Lenient):
            self._buffer = _Lenient(self._buffer)


class _Records(_MemoryRecordsPy):  # type: ignore[misc]
    def next_batch(self) -> Any:
        held = self._next_slice
        batch = super().next_batch()
        return _Batch(held) if batch is not None and held[_MAGIC] >= _WITH_HEADERS else batch
