"""Judging on real PostgreSQL: a spike alarms once, one process judges, a fault loses nothing."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.domain.alerts import State
from services.alerts.store.retention import delete_old
from shared.db import open_engine
from tests.support.alerts import START, AlertsRig, finish, judging, scored
from tests.support.alerts_history import BAD, SPIKE, SPIKE_ENDS, empty, history, play, told


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(fresh_database_url, schema="alerts") as engine:
        yield engine


@pytest.fixture
def rig(engine: AsyncEngine) -> AlertsRig:
    return AlertsRig(engine)


async def test_a_spike_opens_one_alert_and_recovery_resolves_it(rig: AlertsRig) -> None:
    (alert,) = await play(rig, history())

    assert SPIKE - timedelta(hours=2) < alert.began_at < alert.opened_at < SPIKE_ENDS
    assert alert.state is State.RESOLVED
    assert alert.resolved_at is not None
    assert alert.resolved_at > SPIKE_ENDS
    assert alert.segment.items() <= BAD.items()
    assert alert.crossings[0].segment == alert.segment
    assert alert.also_raised
    assert alert.n >= 20
    assert alert.detractors >= 8
    assert alert.explains > 0.5
    assert alert.top_reasons[0].reason == "delivery-late"
    assert alert.top_reasons[0].change > 0
    assert alert.sample_comments == ("It came far too late.",)
    changes = [c for (c,) in await rig.rows("SELECT change FROM changes ORDER BY seq")]
    assert changes[0] == "opened"
    assert changes[-1] == "resolved"
    assert set(changes[1:-1]) <= {"updated"}


async def test_a_steady_stream_is_silent_and_judged_to_its_last_answer(rig: AlertsRig) -> None:
    answers = history(seed=11, spike=False)

    assert await play(rig, answers) == []
    assert await rig.judged_to() == answers[-1].answered_at


@pytest.mark.parametrize("hours", [10, pytest.param(54, marks=pytest.mark.thorough)])
async def test_a_fault_between_judging_and_commit_changes_nothing(
    engine: AsyncEngine, rig: AlertsRig, hours: int
) -> None:
    answers = history(until=SPIKE + timedelta(hours=hours))
    expected = told(await play(rig, answers))
    await empty(engine)
    broken = AlertsRig(engine)
    async with engine.begin() as connection:
        await connection.execute(sa.text("ALTER TABLE changes ADD CHECK (change <> 'opened')"))
    broken.put(answers)
    await broken.count_all()
    judge = broken.judge()
    with pytest.raises(sa.exc.IntegrityError):  # its chunk is judged, and the commit never comes
        await finish(judge)
    assert await broken.alerts() == []
    assert not judge.elected
    async with engine.begin() as connection:
        await connection.execute(
            sa.text("ALTER TABLE changes DROP CONSTRAINT changes_change_check")
        )

    async with judging(judge):
        await finish(judge)

    assert told(await broken.alerts()) == expected


@pytest.mark.thorough
async def test_one_of_two_judges_is_elected_and_the_other_takes_over(
    engine: AsyncEngine, rig: AlertsRig
) -> None:
    rig.put(history())
    await rig.count_all()
    first, second = rig.judge(), rig.judge()
    async with judging(first), judging(second):
        await finish(first, 1)
        await second.turn()
        assert (first.elected, second.elected) == (True, False)
        async with engine.begin() as connection:  # the elected judge's connection is cut
            await connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                    " AND database = (SELECT oid FROM pg_database"
                    " WHERE datname = current_database())"
                )
            )
        async with asyncio.timeout(10):
            while not second.elected:
                await second.turn()
        await finish(second)
        with pytest.raises(sa.exc.DBAPIError):
            await first.turn()

        assert (first.elected, second.elected) == (False, True)
    assert len(await rig.alerts()) == 1


async def test_an_open_minute_raises_an_alert_that_stands(rig: AlertsRig) -> None:
    before = history(until=SPIKE, spike=False)
    start = SPIKE + timedelta(minutes=30)
    rig.now = start + timedelta(minutes=1)
    burst = [
        scored(500_000 + i, start + timedelta(seconds=i / 2), detractor=i % 5 != 0,
               segments=BAD)
        for i in range(60)
    ]  # fmt: skip
    rig.put(before)
    await rig.count_all()
    async with judging(rig.judge()) as judge:
        await finish(judge)
        rig.put(burst)
        await rig.count_all()
        await finish(judge)
        (alert,) = await rig.alerts()
        (judged_to, closed_to) = (await rig.rows("SELECT judged_to, closed_to FROM lines"))[0]
        await finish(judge)

    assert alert.state is State.OPEN
    assert not alert.historic
    assert alert.opened_at == burst[-1].answered_at
    assert judged_to == closed_to < start.timestamp() / 60  # provisional: not in the fleet
    assert await rig.judged_to() == burst[-1].answered_at
    good = [
        scored(600_000 + i, start + timedelta(minutes=10 + i // 5), detractor=False, segments=BAD)
        for i in range(300)
    ]
    (alert,) = await play(rig, good)  # the minute closes, the fleet learns of it, customers recover
    assert alert.state is State.RESOLVED


@pytest.mark.thorough
async def test_only_evidence_that_was_judged_long_ago_is_deleted(rig: AlertsRig) -> None:
    await play(rig, history())
    rig.put([scored(700_000, START, detractor=True, survey="other", reasons=("late",))])
    await rig.count_all()  # a line of one answer is not judged yet

    while any((await delete_old(rig.engine, timedelta(0), rig.now)).values()):
        pass

    for table in ("ticks", "remarks"):
        left = await rig.rows(
            f"SELECT survey, e.minute < judged_to FROM {table} e JOIN lines USING (metric, survey)"
        )
        assert not any(judged for _, judged in left)
        assert "other" in {survey for survey, _ in left}
