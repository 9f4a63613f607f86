"""Entries as bytes with their names in them, so that another process can read them by its codes."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from services.scoring.store.columns.book import CodeBook, Line
from services.scoring.store.columns.entries import Codes, Entries

_ARRAYS = ("time", "event", "column")


class Packed(msgspec.Struct, frozen=True, array_like=True):
    """One entry is the same place of every array; `lines` and `values` name the codes."""

    lines: list[Line]
    values: Mapping[str, Sequence[str | None]]
    arrays: list[
        tuple[str, bytes]
    ]  # type and bytes: those of entries, lines, then a dimension each


_DECODE = msgspec.msgpack.Decoder(Packed).decode


def pack(entries: Entries, book: CodeBook) -> bytes:
    """Write them down."""
    kinds, surveys = list(book.kinds), list(book.surveys)
    both = entries.kind.astype(np.int64) * len(surveys) + entries.survey
    met, lines = np.unique(both, return_inverse=True)
    names = [(*kinds[one // len(surveys)], surveys[one % len(surveys)]) for one in met.tolist()]
    arrays = [*(getattr(entries, name) for name in _ARRAYS), _narrow(lines, len(met))]
    values: dict[str, list[str | None]] = {}
    for name, codes in zip(book.dimensions, entries.values, strict=True):
        met, places = np.unique(codes, return_inverse=True)
        values[name] = [book.values[name].names[code] for code in met.tolist()]
        arrays.append(_narrow(places, len(met)))
    told = [(one.dtype.str, one.tobytes()) for one in arrays]
    return msgspec.msgpack.encode(Packed(names, values, told))


def unpack(text: bytes) -> Packed:
    """Read what `pack` wrote."""
    return _DECODE(text)


def entries_of(packed: Packed, book: CodeBook) -> Entries:
    """The entries in codes of a book that knows all their names."""
    arrays = [np.frombuffer(text, kind) for kind, text in packed.arrays]
    time, event, column, lines = arrays[:4]
    codes = dict(zip(packed.values, arrays[4:], strict=True))
    kinds = [book.kinds[one[:2]] for one in packed.lines]
    surveys = [book.surveys[one[2]] for one in packed.lines]
    return Entries(
        time,
        event,
        column,
        _renamed(kinds, len(book.kinds), lines),
        _renamed(surveys, len(book.surveys), lines),
        tuple(
            _renamed(
                [book.values[name].code_of[value] for value in packed.values[name]],
                len(book.values[name].names),
                codes[name],
            )
            for name in book.dimensions
        ),
    )


def _renamed(known: Sequence[int], size: int, codes: Codes) -> Codes:
    return np.array(known, np.min_scalar_type(size)).take(codes)


def _narrow(codes: Any, size: int) -> Codes:
    narrow: Codes = codes.astype(np.min_scalar_type(size))
    return narrow
