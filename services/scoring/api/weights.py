"""The weighted score of each group of a page: `weight=` of `GET /v1/scores`."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import asyncpg
from fastapi import Query

from services.scoring.api.paging import Asked, main_scale
from services.scoring.api.parameters import check_dimension
from services.scoring.api.reading import Reading
from services.scoring.api.shapes import WeightedScore
from services.scoring.domain.questions import Question, Segment
from services.scoring.domain.scores import figures_of
from services.scoring.domain.sheets import Sheet
from services.scoring.domain.weighting import strata_of, weigh
from services.scoring.store.funnel import read_denominators
from shared.errors import FieldFault, Invalid


@dataclass
class ByStrata:
    """By what answers are weighted."""

    weight: Annotated[
        str | None,
        Query(max_length=300, description="dimensions, with a comma; weighs by events heard of"),
    ] = None

    def read(self, question: Question, reading: Reading) -> tuple[str, ...]:
        """The dimensions of the strata. Raises Invalid that lists what there is."""
        if self.weight is None:
            return ()
        names = tuple(name.strip() for name in self.weight.split(","))
        for name in names:
            check_dimension("weight", name, reading)
        taken = set(question.dimensions)
        if len(set(names)) < len(names) or taken & set(names):
            raise self._fault("dimensions that neither by nor where names, each once")
        if len(taken) + len(names) > 3:
            raise self._fault("by, where and weight together name at most three dimensions")
        return names

    def _fault(self, accepted: str) -> Invalid:
        return Invalid.of([FieldFault("weight", "out-of-range", self.weight, accepted)])


async def read_weighted(
    connection: asyncpg.Connection,
    asked: Asked,
    strata: Sequence[str],
    groups: Sequence[Segment],
    reading: Reading,
) -> list[WeightedScore | None]:
    """The weighted score of these groups; None where nothing is known of their events."""
    if not groups:
        return []
    question = replace(asked.question, by=(*asked.question.by, *strata))
    sheet = await reading.reader.groups(connection, question, [asked.window])
    known = await read_denominators(
        connection, question, asked.window, values_at_most=reading.values_at_most
    )
    return await asyncio.to_thread(_told, groups, sheet, known)


def _told(
    groups: Sequence[Segment], sheet: Sheet, known: Mapping[Segment, int]
) -> list[WeightedScore | None]:
    found = weigh(strata_of(groups, sheet.segments, sheet.tallies(0), known), len(groups))
    figures = figures_of(found.tallies, main_scale(sheet.metric))
    return [
        WeightedScore(
            score=float(figures.score[place]),
            interval=(float(figures.low[place]), float(figures.high[place])),
            effective_n=float(found.effective_n[place]),
            strata=int(found.strata[place]),
            known=int(found.known[place]),
            uncovered=float(found.uncovered[place]),
        )
        if found.effective_n[place] > 0
        else None
        for place in range(len(groups))
    ]
