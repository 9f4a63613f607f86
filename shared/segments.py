"""Segments: clean values, values frozen at an event, the cells in which an answer counts."""

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeGuard

LONGEST_VALUE = 100
_UNWANTED = {"Cc", "Cs"}  # control characters, and surrogates that UTF-8 cannot carry

Pair = tuple[str, str]


def clean_value(value: str) -> str | None:
    """Trimmed, runs of white space (U+00A0 too) made one, cut at 100 characters; None if empty."""
    words = " ".join(value.split())
    if not words.isprintable():
        kept = (letter for letter in words if unicodedata.category(letter) not in _UNWANTED)
        words = " ".join("".join(kept).split())
    return words[:LONGEST_VALUE].rstrip() or None


def clean_segments(segments: object) -> dict[str, str]:
    """The usable entries of a mapping, keys and values cleaned.

    Whole numbers become text; what is neither text nor a whole number is absent.
    """
    if not _is_mapping(segments):
        return {}
    cleaned: dict[str, str] = {}
    for key, value in segments.items():
        name = clean_value(key) if isinstance(key, str) else None
        text = _as_value(value)
        if name is not None and text is not None:
            cleaned[name] = text
    return cleaned


def frozen_segments(
    dimensions: Mapping[str, str | None], data: Mapping[str, Any]
) -> dict[str, str]:
    """The segments of an event, taken now and kept whatever changes later.

    `dimensions` gives each dimension the path of its value in the event's data; None, and a
    path without a value, mean `segments.<dimension>`. Other keys of `segments` stay.
    """
    frozen = clean_segments(data.get("segments"))
    for dimension, path in dimensions.items():
        value = _as_value(_at(path, data)) if path is not None else None
        if value is not None:
            frozen[dimension] = value
    return frozen


def answer_segments(
    dimensions: Mapping[str, str | None], segments: object, touchpoint: str | None
) -> dict[str, str]:
    """The segments of an uninvited answer: its own, and its touchpoint where one is asked for."""
    frozen = clean_segments(segments)
    value = clean_value(touchpoint) if touchpoint is not None else None
    if value is not None:
        frozen |= {name: value for name, path in dimensions.items() if path == "touchpoint"}
    return frozen


def cells(
    segments: Mapping[str, str], dimensions: Iterable[str], pairs: Iterable[Pair]
) -> list[dict[str, str]]:
    """The cells in which an answer counts: {} (all), each dimension, each configured pair."""
    singles = [{name: segments[name]} for name in dimensions if name in segments]
    doubles = [
        {name: segments[name] for name in sorted(pair)}
        for pair in pairs
        if all(name in segments for name in pair)
    ]
    return [{}, *singles, *doubles]


def segment_key(segment: Mapping[str, str]) -> str:
    """The one text of a segment, `{"region":"EU"}`: sorted, without spaces, not escaped."""
    return json.dumps(dict(segment), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def read_segment_key(key: str) -> dict[str, str]:
    """The segment whose key this is."""
    segment: dict[str, str] = json.loads(key)
    return segment


@dataclass(frozen=True, slots=True)
class Lattice:
    """The configured dimensions and pairs, for those who need many keys quickly."""

    dimensions: tuple[str, ...]
    pairs: tuple[Pair, ...] = ()

    def keys(self, segments: Mapping[str, str]) -> tuple[str, ...]:
        """Keys of the cells in which an answer with these segments counts, `{}` first."""
        return _keys(self, tuple(segments.get(name) for name in self.dimensions))

    def leaf(self, segments: Mapping[str, str]) -> str:
        """Key of the finest cell: all configured dimensions that have a value."""
        return _leaf(self, tuple(segments.get(name) for name in self.dimensions))


@lru_cache(maxsize=65_536)
def _keys(lattice: Lattice, values: Sequence[str | None]) -> tuple[str, ...]:
    known = _known(lattice, values)
    return tuple(map(segment_key, cells(known, lattice.dimensions, lattice.pairs)))


@lru_cache(maxsize=65_536)
def _leaf(lattice: Lattice, values: Sequence[str | None]) -> str:
    return segment_key(_known(lattice, values))


def _known(lattice: Lattice, values: Sequence[str | None]) -> dict[str, str]:
    named = zip(lattice.dimensions, values, strict=True)
    return {name: value for name, value in named if value is not None}


def _as_value(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return clean_value(value) if isinstance(value, str) else None


def _is_mapping(value: object) -> TypeGuard[Mapping[Any, Any]]:
    """Whether it is one; of JSON's own that is known at once, asking Mapping takes much longer."""
    return type(value) is dict or isinstance(value, Mapping)


def _at(path: str, data: object) -> object:
    for name in path.split("."):
        if not _is_mapping(data):
            return None
        data = data.get(name)
    return data
