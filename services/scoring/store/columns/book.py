"""Small numbers for lines and values. They come from PostgreSQL as hashes of a secret seed.

A row of fixed width is read without a step of Python each; that two texts of one database share
one of 2^64 hashes under a drawn seed does not happen, and where both are known it is noticed.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Final, Generic, TypeVar

import asyncpg
import numpy as np

from services.scoring.domain.tallies import OTHER
from services.scoring.store.columns.entries import Codes
from services.scoring.store.columns.spans import Ints
from services.scoring.store.values import full_among

ABSENT: Final = 0  # as hash and as code
_OTHER: Final = 1
_HASH: Final = "SELECT hashtextextended($1::text, $2::bigint)"
_HASHES: Final = """
    SELECT hashtextextended(text, $2::bigint)
    FROM unnest($1::text[]) WITH ORDINALITY AS t(text, place) ORDER BY place
"""
_ALL_VALUES: Final = (
    "SELECT value, hashtextextended(value, $1::bigint) FROM dimension_values WHERE dimension = $2"
)
_VALUES: Final = f"{_ALL_VALUES} AND hashtextextended(value, $1::bigint) = ANY($3::bigint[])"
LINE: Final = "concat_ws(chr(31), {metric}, {scale}, {survey})"
_LINE: Final = LINE.format(metric="metric", scale="scale", survey="survey")
_LINES: Final = (
    f"SELECT metric, scale, survey, hashtextextended({_LINE}, $1::bigint) FROM series"  # noqa: S608
    f" WHERE slice = '' AND hashtextextended({_LINE}, $1::bigint) = ANY($2::bigint[])"
)


class Clash(Exception):
    """Two texts share a hash, or a hash has none: the book has to be begun anew."""


T = TypeVar("T")


class Names(Generic[T]):
    """Names by code, and codes by hash; both only grow.

    Names are added on the event loop while threads read: what they read is replaced whole.
    """

    def __init__(self, names: Sequence[T], hashes: Sequence[int]) -> None:
        self.names: list[T] = []
        self.code_of: dict[T, int] = {}
        self._coded: tuple[Ints, Ints] = (np.empty(0, np.int64), np.empty(0, np.int64))
        self.add(names, hashes)

    def add(self, names: Sequence[T], hashes: Sequence[int]) -> None:
        """Give each name that has none the next code. Raises Clash."""
        new = {n: h for n, h in zip(names, hashes, strict=True) if n not in self.code_of}
        codes = range(len(self.names), len(self.names) + len(new))
        self.names += new
        self.code_of |= dict(zip(new, codes, strict=True))
        hashes_known, codes_known = self._coded
        hashed = np.concatenate((hashes_known, np.array(list(new.values()), np.int64)))
        order = np.argsort(hashed, kind="stable")
        coded = np.concatenate((codes_known, np.array(codes, np.int64)))
        self._coded = (hashed[order], coded[order])
        if not np.all(np.diff(self._coded[0])):
            raise Clash

    def unknown(self, hashes: Ints) -> Ints:
        """Those that have no name, once each."""
        known = self._coded[0]
        return np.unique(hashes[known[_places(known, hashes)] != hashes])

    def codes(self, hashes: Ints, otherwise: int = 0) -> Codes:
        """The code of each hash, and `otherwise` for those that have none."""
        known, coded = self._coded
        places = _places(known, hashes)
        codes = np.where(known[places] == hashes, coded[places], otherwise)
        return codes.astype(np.min_scalar_type(len(known)))


def _places(known: Ints, hashes: Ints) -> Ints:
    return np.minimum(np.searchsorted(known, hashes), len(known) - 1)


Kind = tuple[str, int]  # metric, highest point
Line = tuple[str, int, str]  # metric, highest point, survey ("": none)


class CodeBook:
    """The codes of one process. A value that its full dimension does not know is `other`."""

    def __init__(
        self, dimensions: Sequence[str], values_at_most: int, seed: int, other: int
    ) -> None:
        self.dimensions = tuple(dimensions)
        self.seed = seed
        self.lines: Names[Line] = Names([("", 0, "")], [ABSENT])
        self.values: Mapping[str, Names[str | None]] = {
            name: Names([None, OTHER], [ABSENT, other]) for name in self.dimensions
        }
        self.kinds: dict[Kind, int] = {}
        self.surveys: dict[str, int] = {}
        self._split: tuple[Codes, Codes] = (np.zeros(1, np.uint8), np.zeros(1, np.uint8))
        self._at_most = values_at_most
        self._full: set[str] = set()

    @classmethod
    async def begin(
        cls, connection: asyncpg.Connection, dimensions: Sequence[str], values_at_most: int
    ) -> "CodeBook":
        """An empty one with a seed of its own."""
        seed = secrets.randbits(63)
        other = await connection.fetchval(_HASH, OTHER, seed)
        return cls(dimensions, values_at_most, seed, other)

    async def learn(
        self, connection: asyncpg.Connection, lines: Ints, values: Mapping[str, Ints]
    ) -> None:
        """Give every hash that has none its code, as this snapshot tells. Raises Clash."""
        unknown = self.lines.unknown(lines)
        if len(unknown):
            rows = await connection.fetch(_LINES, self.seed, unknown.tolist())
            self.name_lines([tuple(row[:3]) for row in rows], [row[3] for row in rows])
            if len(self.lines.unknown(unknown)):
                raise Clash
        short = [name for name in self.dimensions if name not in self._full]
        left = [name for name in short if await self._learn(connection, name, values[name])]
        for name in await full_among(connection, left, self._at_most):
            # all that it will ever know: from now on nothing of it is looked up
            rows = await connection.fetch(_ALL_VALUES, self.seed, name)
            self.values[name].add([row[0] for row in rows], [row[1] for row in rows])
            self._full.add(name)

    async def learn_names(
        self,
        connection: asyncpg.Connection,
        lines: Sequence[Line],
        values: Mapping[str, Sequence[str | None]],
    ) -> None:
        """Give names that come as texts their codes. Raises Clash."""
        new_lines = [one for one in lines if one not in self.lines.code_of]
        new = {
            name: [one for one in found if one is not None and one not in self.values[name].code_of]
            for name, found in values.items()
        }
        texts = ["\x1f".join(map(str, one)) for one in new_lines]
        texts += [one for found in new.values() for one in found]
        if not texts:
            return
        hashes = iter([row[0] for row in await connection.fetch(_HASHES, texts, self.seed)])
        if new_lines:
            self.name_lines(new_lines, [next(hashes) for _ in new_lines])
        for name, found in new.items():
            if found:
                self.values[name].add(found, [next(hashes) for _ in found])

    async def _learn(self, connection: asyncpg.Connection, name: str, hashes: Ints) -> bool:
        """Look up the values of one dimension; say whether some are in no table."""
        unknown = self.values[name].unknown(hashes)
        if not len(unknown):
            return False
        rows = await connection.fetch(_VALUES, self.seed, name, unknown.tolist())
        self.values[name].add([row[0] for row in rows], [row[1] for row in rows])
        return len(rows) < len(unknown)

    def name_lines(self, lines: Sequence[Line], hashes: Sequence[int]) -> None:
        """Give each line its codes. Raises Clash."""
        kinds, surveys = dict(self.kinds), dict(self.surveys)
        known = [*self.lines.names, *(one for one in lines if one not in self.lines.code_of)]
        kind = [kinds.setdefault(one[:2], len(kinds)) for one in known]
        survey = [surveys.setdefault(one[2], len(surveys)) for one in known]
        self.kinds, self.surveys = kinds, surveys
        self._split = (
            np.array(kind, np.min_scalar_type(len(kinds))),
            np.array(survey, np.min_scalar_type(len(surveys))),
        )
        self.lines.add(lines, hashes)  # last: a thread looks the line up first, then its parts

    def kinds_of(self, metric: str) -> dict[int, int]:
        """The kinds of a metric, one each scale, with its highest point."""
        return {code: kind[1] for kind, code in self.kinds.items() if kind[0] == metric}

    def split(self, hashes: Ints) -> tuple[Codes, Codes]:
        """The kind and the survey of each line."""
        lines = self.lines.codes(hashes)
        kinds, surveys = self._split
        return kinds[lines], surveys[lines]

    def codes(self, name: str, hashes: Ints) -> Codes:
        """The codes of one dimension's values."""
        return self.values[name].codes(hashes, _OTHER)
