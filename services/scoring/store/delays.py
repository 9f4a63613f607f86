"""How long customers took to answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from services.scoring.domain.answers import SENT
from services.scoring.domain.cells import VALUES_AT_MOST
from services.scoring.domain.funnel import median_ranks
from services.scoring.domain.questions import Question, Segment
from services.scoring.domain.windows import Window
from services.scoring.store.slices import (
    Arguments,
    by_columns,
    dimension_columns,
    filters,
    grouped,
)
from services.scoring.store.values import full_among


@dataclass(frozen=True, slots=True)
class Delay:
    """Seconds from the invitation to the answer; `interval` is that of the median.

    Of an even number the lower middle one is the median. Under 6 answers there is no interval.
    """

    n: int
    median: float
    p90: float
    interval: tuple[float, float] | None


async def read_delays(
    connection: asyncpg.Connection,
    question: Question,
    window: Window,
    only: Sequence[Segment],
    *,
    values_at_most: int = VALUES_AT_MOST,
) -> dict[Segment, Delay]:
    """Delays of the answers given in the window to invitations that were sent, of these groups.

    The caller holds one snapshot.
    """
    full = await full_among(connection, question.dimensions, values_at_most)
    told = Arguments()
    inner = _answers(question, window, told, full)
    keys = by_columns(question) or ["everyone"]
    where = filters(question, told, only if question.by else None)
    rows = await grouped(connection, told, inner, keys, "count(*)", where)
    sizes = {tuple(row[: len(question.by)]): int(row[-1]) for row in rows}
    return await _percentiles(connection, question, window, sizes, full) if sizes else {}


async def _percentiles(
    connection: asyncpg.Connection,
    question: Question,
    window: Window,
    sizes: Mapping[Segment, int],
    full: set[str],
) -> dict[Segment, Delay]:
    """The values at the places that each group's size gives."""
    told = Arguments()
    inner = _answers(question, window, told, full)
    names = [f"g{place}" for place in range(len(question.by))]
    arrays = [told.add([one[place] for one in sizes], "text[]") for place in range(len(names))]
    ranks = [median_ranks(n) for n in sizes.values()]
    for side in (0, 1):
        # the middle of the step at which that place is reached, so no rounding moves it
        pairs = zip(ranks, sizes.values(), strict=True)
        shares = [((found[side] if found else 1) - 0.5) / n for found, n in pairs]
        arrays.append(told.add(shares, "float8[]"))
    same = [f"{d} = {name}" for d, name in zip(by_columns(question), names, strict=True)]
    grouping = ", ".join([*names, "low", "high"])
    rows = await connection.fetch(
        f"SELECT {grouping}, percentile_disc(ARRAY[0.5, 0.9, low, high])"  # noqa: S608
        f" WITHIN GROUP (ORDER BY seconds) FROM ({inner}) AS i"
        f" JOIN unnest({', '.join(arrays)}) AS g({grouping}) ON {' AND '.join(same) or 'true'}"
        f" WHERE {filters(question, told)} GROUP BY {grouping}",
        *told.values,
    )
    found = {tuple(row[: len(names)]): row[-1] for row in rows}
    return {
        segment: _delay(n, found[segment], known=rank is not None)
        for (segment, n), rank in zip(sizes.items(), ranks, strict=True)
    }


def _delay(n: int, values: Sequence[float], *, known: bool) -> Delay:
    median, p90, low, high = values
    return Delay(n, median, p90, (low, high) if known else None)


def _answers(question: Question, window: Window, told: Arguments, full: set[str]) -> str:
    """One row an answer: how long it took, and its dimensions."""
    took = "extract(epoch FROM a.answered_at - a.invited_at)::float8"
    columns = [f"greatest({took}, 0) AS seconds", "true AS everyone"]
    columns += dimension_columns(question, told, "a.asked_segments", full)
    inner = (
        f"SELECT {', '.join(columns)} FROM answers a WHERE a.status = '{SENT}'"  # noqa: S608
        f" AND a.answered_at >= {told.add(window.start, 'timestamptz')}"
        f" AND a.answered_at < {told.add(window.end, 'timestamptz')}"
    )
    if question.survey is not None:
        inner += f" AND a.asked_survey = {told.add(question.survey)}"
    return inner
