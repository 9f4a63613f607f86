"""Streams of which a maintenance window takes a large part.

What is left of them is another mix of customers. Of a stream with a share p of detractors, leaving
out a part w moves the share by at most w p / (1 - w): with w a twentieth by under the smallest rise
that is looked for by default, whatever p. Beyond that the mix alone might look like a rise.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import numpy as np

from services.alerts.domain.answers import DAY, minute_of
from services.alerts.domain.columns import Floats, Ints
from services.alerts.domain.silences import Silence
from services.alerts.domain.streams import Catalogue, LeafTick, within

LARGE: Final = 0.05
BEFORE: Final = 7 * DAY  # minutes before the window, by which the parts are known
NO_ROWS: Final[Ints] = np.empty(0, np.intp)


class Mix(NamedTuple):
    """A window, and the rows of which it takes a large part."""

    window: Silence
    rows: Ints


def usual_time(window: Silence) -> tuple[int, int]:
    """The minutes, inclusive, that say what is usual."""
    first = minute_of(window.begins_at)
    return first - BEFORE, first - 1


def skewed_rows(
    catalogue: Catalogue, usual: Sequence[LeafTick], segment: Mapping[str, str]
) -> Ints:
    """The rows of which a segment is usually more than a twentieth, those inside it too."""
    size = len(catalogue.segments)
    every, taken = np.zeros(size), np.zeros(size)
    for tick in usual:
        rows = catalogue.known_rows_of(tick.leaf)
        every[rows] += tick.answers
        if within(tick.leaf, dict(segment)):
            taken[rows] += tick.answers
    return np.flatnonzero(taken > LARGE * every)


def left_out(mixes: Iterable[Mix], first: datetime, last: datetime) -> Ints:
    """The rows that are not judged by answers of that time: what is left of them is no sample."""
    span = max(last - first, timedelta(0))
    found = [mix.rows for mix in mixes if mix.window.holds(first, span)]
    return np.unique(np.concatenate(found)) if found else NO_ROWS


def without(gathered: tuple[Ints, Floats, Floats], rows: Ints) -> tuple[Ints, Floats, Floats]:
    """Rows with their answers and detractors, but for those that are left out."""
    if not len(rows):
        return gathered
    index, answers, detractors = gathered
    kept = ~np.isin(index, rows)
    return index[kept], answers[kept], detractors[kept]
