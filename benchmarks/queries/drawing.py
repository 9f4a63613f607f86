"""Made-up answers and invitations as columns: who answered what, when, and in which segment."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.scoring.domain.cells import ANSWERED, INVITED, Layout

PAIRS: Final = (("product", "region"),)
DAYS: Final = 60  # a window of 30 days and the one before
KINDS: Final = (("nps", 0, 10), ("csat", 1, 5), ("ces", 1, 7))  # metric, lowest, highest
_SHARES: Final = (0.7, 0.2, 0.1)  # of the kinds
_ASKED: Final = 0.3  # of all answers; as many invitations have no answer
SURVEYS: Final = tuple(f"survey {number}" for number in range(3))
HOUR: Final = 3_600_000_000  # microseconds
DAY: Final = 24 * HOUR

Sizes = dict[str, int]
Ints = NDArray[Any]


@dataclass(frozen=True)
class Drawn:
    """One row each, in rising time; microseconds since 1970 and codes.

    `replied` says which were answered, `asked` which had an invitation; each has one at least.
    `at` is the moment of the answer where there is one, else that of the invitation.
    """

    at: Ints
    kind: Ints
    survey: Ints
    score: Ints
    values: tuple[Ints, ...]
    replied: NDArray[np.bool_]
    asked: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True)
class Counted:
    """The running counts of one slice; a series has the codes of kind, survey and values."""

    codes: Ints  # [series, part]
    series: Ints  # of each row, a place in `codes`
    hour: Ints
    sums: Ints  # [row, column]


def sizes_of(segments: int) -> Sizes:
    """How many values each dimension has, so that two pairs of them are `segments` groups."""
    few = max(2, min(10, segments // 5))
    return {
        "region": few,
        "product": max(1, segments // few),
        "shop": max(1, segments // 50) if segments >= 500 else few,
        "country": 50 if segments >= 500 else max(1, segments // few),
        "channel": 5,
        "queue": 20,
        "agent": 500,
        "tier": 3,
    }


def layout_of(sizes: Sizes) -> Layout:
    """Eight dimensions, one pair."""
    return Layout(dict.fromkeys(sizes), PAIRS)


def draw(answers: int, sizes: Sizes, now: int) -> Drawn:
    """Answers of the last 60 days, and the invitations that nobody answered."""
    random = np.random.default_rng(4)
    size = answers + int(answers * _ASKED)
    kind = random.choice(len(KINDS), size, p=_SHARES)
    widths = np.array([high - low + 1 for _, low, high in KINDS])[kind]
    silent = random.permutation(size) < size - answers
    return Drawn(
        np.sort(now - random.integers(1, DAYS * DAY, size)),
        kind,
        random.integers(0, len(SURVEYS), size),
        (widths * np.sqrt(random.random(size))).astype(np.int64),
        tuple(random.integers(0, count, size) for count in sizes.values()),
        ~silent,
        silent | (random.random(size) < _ASKED),
    )


def count(drawn: Drawn, sizes: Sizes, positions: Sequence[int]) -> Counted:
    """Count one slice, as scoring does."""
    columns = [(drawn.replied, drawn.score, drawn.at)]
    sent = drawn.at - DAY * drawn.replied
    columns.append((drawn.asked, np.full(len(drawn), INVITED), sent))
    columns.append((drawn.asked & drawn.replied, np.full(len(drawn), ANSWERED), sent))
    widths = [len(KINDS), len(SURVEYS), *(list(sizes.values())[place] for place in positions)]
    parts = [drawn.kind, drawn.survey, *(drawn.values[place] for place in positions)]
    code = np.ravel_multi_index(tuple(parts), tuple(widths))
    first = int(drawn.at[0]) // HOUR - 24
    hours = int(drawn.at[-1]) // HOUR - first + 1
    keys = [(code * hours + at // HOUR - first)[kept] for kept, _, at in columns]
    places, where = np.unique(np.concatenate(keys), return_inverse=True)
    width = ANSWERED + 1
    cells = where * width + np.concatenate([column[kept] for kept, column, _ in columns])
    sums = np.bincount(cells, minlength=len(places) * width).reshape(-1, width)
    known, series = np.unique(places // hours, return_inverse=True)
    codes = np.stack(np.unravel_index(known, tuple(widths)), axis=1)
    return Counted(codes, series, places % hours + first, sums)
