"""All that is said of the groups of a question: of each its score, what changed, how it compares.

The groups of the whole question are judged together, and not those of one page: a comparison is
one of as many as were made, and small groups are drawn to the mean of all.
"""

from dataclasses import dataclass

import numpy as np

from services.scoring.domain.comparisons import (
    Compared,
    Floats,
    Side,
    alone,
    compare_all,
    rest_of,
)
from services.scoring.domain.scores import Figures, figures_of, rates_of
from services.scoring.domain.sheets import Sheet
from services.scoring.domain.shrinkage import Shrunk, shrink
from shared.programme.metrics import Metric

BEFORE, NOW = 0, 1  # the windows of the sheet


@dataclass(frozen=True)
class Verdicts:
    """One entry a group, in the order of the sheet."""

    figures: Figures
    deff: Floats
    previous: Compared
    rates: Figures
    against: Compared | None = None
    shrunk: Shrunk | None = None


@dataclass(frozen=True)
class Opponent:
    """Whom each group is compared with: the rest of `whole`, or the one group at a place.

    `whole` has the question's answers in one group, those without a value too, in one window;
    `deff` is its design effect. `place` is None where nobody answered in that group.
    """

    whole: Sheet | None = None
    place: int | None = None
    deff: float = 1.0


def judge(
    sheet: Sheet,
    metric: Metric,
    *,
    effects: Floats,
    opponent: Opponent | None = None,
    drawn: bool = True,
) -> Verdicts:
    """Judge the window `NOW` of every group, and what changed since `BEFORE`.

    `effects`: the design effects, [window, group]. `drawn`: draw scores towards the mean of all
    groups too, where there are enough.
    """
    now = Side(sheet.tallies(NOW), effects[NOW])
    before = Side(sheet.tallies(BEFORE), effects[BEFORE])
    return Verdicts(
        figures=figures_of(now.tallies, metric, now.deff),
        deff=now.deff,
        previous=compare_all(now, before, metric),
        rates=rates_of(sheet.answered(NOW), sheet.invited(NOW)),
        against=None if opponent is None else _against(now, metric, opponent),
        shrunk=shrink(now.tallies, metric, now.deff) if drawn else None,
    )


def _against(now: Side, metric: Metric, opponent: Opponent) -> Compared:
    if opponent.whole is not None:
        whole = opponent.whole.tallies(0)
        rest = rest_of(whole, now.tallies)
        # fewer answers crowd less, in proportion
        deff = 1 + (opponent.deff - 1) * rest.n / np.maximum(whole.n, 1)
        return compare_all(now, Side(rest, deff), metric)
    place = opponent.place
    return compare_all(now, alone(now, place), metric, place)
