"""Counting and judging on real PostgreSQL: spikes alarm once, whatever the order of arrival."""

import random
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.domain.alerts import Alert, State
from shared.db import open_engine
from shared.events import ScoredResponse
from tests.support.alerts import PARTITIONS, START, AlertsRig, finish, judging, scored

REGIONS, PRODUCTS = ("EU", "US"), ("shoes", "hats", "bags")
SPIKE = START + timedelta(days=6)
SPIKE_ENDS = SPIKE + timedelta(hours=14)


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(fresh_database_url, schema="alerts") as engine:
        yield engine


@pytest.fixture
def rig(engine: AsyncEngine) -> AlertsRig:
    return AlertsRig(engine)


def history(*, seed: int, days: float, spike: bool) -> list[ScoredResponse]:
    """Thirty answers an hour, a tenth detractors; in the spike EU x shoes has six in ten."""
    draw = random.Random(seed)
    answers: list[ScoredResponse] = []
    at = START
    while at < START + timedelta(days=days):
        at += timedelta(minutes=10) if len(answers) % 5 == 0 else timedelta(seconds=7)
        where = {"region": draw.choice(REGIONS), "product": draw.choice(PRODUCTS)}
        hit = spike and SPIKE <= at < SPIKE_ENDS and where == {"region": "EU", "product": "shoes"}
        detractor = draw.random() < (0.6 if hit else 0.1)
        reasons = ("delivery-late",) if hit and detractor else ("other",) if detractor else ()
        comment = "It came far too late." if hit and detractor else None
        answers.append(
            scored(len(answers), at, detractor=detractor, segments=where, reasons=reasons,
                   comment=comment)
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


async def test_a_spike_opens_one_alert_and_recovery_resolves_it(rig: AlertsRig) -> None:
    (alert,) = await play(rig, history(seed=7, days=9, spike=True))

    assert SPIKE - timedelta(hours=2) < alert.began_at < alert.opened_at < SPIKE_ENDS
    assert alert.state is State.RESOLVED
    assert alert.resolved_at is not None
    assert alert.resolved_at > SPIKE_ENDS
    assert alert.segment in ({"region": "EU", "product": "shoes"}, {"product": "shoes"}, {})
    assert alert.n >= 20
    assert alert.detractors >= 8
    assert alert.top_reasons[0].reason == "delivery-late"
    assert alert.top_reasons[0].change > 0
    assert alert.sample_comments == ("It came far too late.",)
    assert alert.historic
    changes = await rig.rows("SELECT change FROM changes ORDER BY seq")
    assert [c for (c,) in changes if c != "updated"] == ["opened", "resolved"]


async def test_a_steady_stream_is_silent(rig: AlertsRig) -> None:
    assert await play(rig, history(seed=11, days=9, spike=False)) == []
    assert await rig.judged_to() == rig_last(rig)


def rig_last(rig: AlertsRig) -> datetime:
    return max(a.answered_at for records in rig.topic for a in records)


async def test_duplicates_and_one_partition_after_the_other_change_nothing(
    engine: AsyncEngine, rig: AlertsRig
) -> None:
    answers = history(seed=7, days=9, spike=True)
    rig.put(answers)
    rig.put(answers[::3])  # again
    async with judging(rig.judge()) as judge:
        for number in range(PARTITIONS):  # partition by partition, with turns in between
            for _ in range(4):
                await rig.count(number, most=300)
                await finish(judge, 1)
        await rig.count_all()
        await finish(judge)
    first = told(await rig.alerts())
    (sums,) = await rig.rows("SELECT sum(answers), sum(detractors) FROM ticks")
    assert sums == (len(answers), sum(a.klass == "detractor" for a in answers))
    rig.put(answers)  # the whole topic a second time
    async with judging(rig.judge()) as judge:
        await rig.count_all()
        await finish(judge)

    assert told(await rig.alerts()) == first
    assert len(first) == 1
    assert await rig.rows("SELECT sum(answers), sum(detractors) FROM ticks") == [sums]
