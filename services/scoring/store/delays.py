"""How long customers took to answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from services.scoring.domain.answers import SENT
from services.scoring.domain.cells import VALUES_AT_MOST
from services.scoring.domain.funnel import median_ranks
from services.scoring.domain.questions import Question, Segment
from services.scoring.domain.windows import Window
from services.scoring.store.slices import Arguments, by_columns, dimension_columns, filters
from services.scoring.store.values import full_among

# The places in which the median and its interval lie, which is 0.98 roots of n wide each way.
_FIRST: Final = "greatest(1, floor(n / 2.0 - sqrt(n)) - 2)::int"
_LAST: Final = "least(n, ceil(n / 2.0 + sqrt(n)) + 3)::int"


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
    named = ", ".join(keys)
    where = filters(question, told, only if question.by else None)
    rows = await connection.fetch(
        f"SELECT {named}, n, seconds[ceil(n * 0.9)::int], {_FIRST}, seconds[{_FIRST}:{_LAST}]"  # noqa: S608
        f" FROM (SELECT {named}, count(*)::int AS n, array_agg(seconds ORDER BY seconds) AS seconds"
        f" FROM ({inner}) AS i WHERE {where} GROUP BY {named}) AS g",
        *told.values,
    )
    return {tuple(row[: len(question.by)]): _delay(*row[len(keys) :]) for row in rows}


def _delay(n: int, p90: float, first: int, middle: Sequence[float]) -> Delay:
    ranks = median_ranks(n)
    low, high = (middle[rank - first] for rank in ranks) if ranks else (0.0, 0.0)
    return Delay(n, middle[(n + 1) // 2 - first], p90, (low, high) if ranks else None)


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
