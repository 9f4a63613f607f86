"""The streams of a line as they are watched, and how much each was answered lately."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain.answers import begin_of, minute_of
from services.alerts.domain.columns import Floats
from services.alerts.domain.terms import Policy
from services.alerts.store.fleet import Fleet, read_fleet
from services.alerts.store.lines import Standing
from services.alerts.store.past import SqlPast
from shared.segments import Lattice

LATELY: Final = timedelta(days=28)
_LEAVES_A_TURN: Final = 1_000


@dataclass(frozen=True)
class Watched:
    """A line's fleet as of its minute, with raw answers a day by row over the last four weeks.

    Of a stream that is younger, since its first answer, but at least over one day.
    """

    fleet: Fleet
    daily: Floats

    @property
    def now_h(self) -> float:
        return (self.fleet.judged_to + 1) / 60


async def read_watched(
    connection: AsyncConnection, standing: Standing, policy: Policy, lattice: Lattice
) -> Watched:
    """Read all streams of a line and count what came lately."""
    line, judged_to = standing.line, standing.judged_to
    fleet = await read_fleet(connection, line, judged_to, policy, lattice)
    first = minute_of(begin_of(judged_to + 1) - LATELY)
    answers = np.zeros(len(fleet.state))
    leaves = await SqlPast(connection, line).leaves(first, judged_to)
    for number, tick in enumerate(leaves):
        np.add.at(answers, fleet.catalogue.known_rows_of(tick.leaf), tick.answers)
        if number % _LEAVES_A_TURN == 0:
            await asyncio.sleep(0)  # others share this loop
    lately_d = LATELY / timedelta(days=1)
    age_d = (judged_to + 1) / 1440 - np.nan_to_num(fleet.state.first_at) / 24
    return Watched(fleet, answers / np.clip(age_d, 1.0, lately_d))
