"""A made-up line with one fault in it, and what alerts makes of it."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.domain.alerts import Alert
from shared.events import ScoredResponse
from tests.support.alerts import START, AlertsRig, finish, judging, scored

REGIONS, PRODUCTS = ("EU", "US"), ("shoes", "hats", "bags")
BAD = {"region": "EU", "product": "shoes"}
SPIKE = START + timedelta(hours=36)
SPIKE_ENDS = SPIKE + timedelta(hours=10)


def history(
    *, seed: int = 7, until: datetime = SPIKE_ENDS + timedelta(hours=44), spike: bool = True
) -> list[ScoredResponse]:
    """Thirty answers an hour, a tenth detractors; in the spike EU x shoes has six in ten."""
    draw = random.Random(seed)
    answers: list[ScoredResponse] = []
    at = START
    while at < until:
        at += timedelta(minutes=10) if len(answers) % 5 == 0 else timedelta(seconds=7)
        where = {"region": draw.choice(REGIONS), "product": draw.choice(PRODUCTS)}
        hit = spike and SPIKE <= at < SPIKE_ENDS and where == BAD
        detractor = draw.random() < (0.6 if hit else 0.1)
        answers.append(
            scored(
                len(answers), at, detractor=detractor, segments=where,
                reasons=("delivery-late" if hit else "other",) if detractor else (),
                comment="It came far too late." if hit and detractor else None,
            )
        )  # fmt: skip
    return answers


def told(alerts: Sequence[Alert]) -> list[tuple[object, ...]]:
    """What must not depend on the order of arrival."""
    return [(a.segment, a.began_at, a.opened_at, a.resolved_at, a.state, a.n) for a in alerts]


async def play(rig: AlertsRig, answers: Sequence[ScoredResponse]) -> Sequence[Alert]:
    rig.put(answers)
    await rig.count_all()
    async with judging(rig.judge()) as judge:
        await finish(judge)
    return await rig.alerts()


async def empty(engine: AsyncEngine) -> None:
    """Forget everything."""
    tables = "counted, ticks, remarks, heard, lines, streams, alerts, changes, deliveries, offsets"
    async with engine.begin() as connection:
        await connection.execute(sa.text(f"TRUNCATE {tables}"))
