"""Entries as bytes with their names in them, so that another process can read them by its codes."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from services.scoring.store.columns.book import CodeBook, Kind, Line, Names
from services.scoring.store.columns.entries import Codes, Entries

FORMAT: Final = 1  # of `Packed`: whoever changes that counts on, and older days are not believed
_ARRAYS = ("time", "event", "column")


class Packed(msgspec.Struct, frozen=True, array_like=True):
    """One entry is the same place of every array; `lines` and `values` name the codes."""

    lines: list[Line]
    values: Mapping[str, Sequence[str | None]]
    arrays: list[
        tuple[str, bytes]
    ]  # type and bytes: those of entries, lines, then a dimension each


_DECODE = msgspec.msgpack.Decoder(Packed).decode


def pack(
    entries: Entries,
    kinds: Sequence[Kind],
    surveys: Sequence[str],
    values: Mapping[str, Names[str | None]],
) -> bytes:
    """Write them down: the names by code, of lines and of each dimension in the book's order."""
    both = entries.kind.astype(np.int64) * len(surveys) + entries.survey
    met, lines = np.unique(both, return_inverse=True)
    names = [(*kinds[one // len(surveys)], surveys[one % len(surveys)]) for one in met.tolist()]
    arrays = [*(getattr(entries, name) for name in _ARRAYS), _narrow(lines, len(met))]
    told_values: dict[str, list[str | None]] = {}
    for (name, known), codes in zip(values.items(), entries.values, strict=True):
        met, places = np.unique(codes, return_inverse=True)
        told_values[name] = [known.names[code] for code in met.tolist()]
        arrays.append(_narrow(places, len(met)))
    told = [(one.dtype.str, one.tobytes()) for one in arrays]
    return msgspec.msgpack.encode(Packed(names, told_values, told))


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
