"""The order of arrival, repeats and amendments do not change what is judged."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import open_engine
from tests.support.alerts import PARTITIONS, START, AlertsRig, finish, judging, scored
from tests.support.alerts_history import SPIKE, SPIKE_ENDS, empty, history, play, told


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(fresh_database_url, schema="alerts") as engine:
        yield engine


@pytest.fixture
def rig(engine: AsyncEngine) -> AlertsRig:
    return AlertsRig(engine)


@pytest.mark.thorough
async def test_duplicates_and_uneven_partitions_change_nothing(
    engine: AsyncEngine, rig: AlertsRig
) -> None:
    answers = history()
    expected = told(await play(rig, answers))
    await empty(engine)
    uneven = AlertsRig(engine)
    uneven.put(answers)
    uneven.put(answers[::3])
    async with judging(uneven.judge()) as judge:
        for number in (*range(PARTITIONS), *range(PARTITIONS)):
            await uneven.count(number, most=700)
            await finish(judge, 2)
        await uneven.count_all()
        await finish(judge)
        first = told(await uneven.alerts())
        uneven.put(answers)  # the whole topic a second time
        await uneven.count_all()
        await finish(judge)

    sums = await uneven.rows("SELECT sum(answers), sum(detractors) FROM ticks")
    assert sums == [(len(answers), sum(a.klass == "detractor" for a in answers))]
    assert told(await uneven.alerts()) == first == expected
    assert await uneven.rows("SELECT count(*) FROM counted") == [(len(answers),)]


@pytest.mark.parametrize("hours", [12, pytest.param(90, marks=pytest.mark.thorough)])
async def test_late_answers_join_the_oldest_open_minute_and_count_once(
    rig: AlertsRig, hours: int
) -> None:
    answers = history(until=START + timedelta(hours=hours), spike=False)
    late = answers[10:400:10]
    await play(rig, [a for a in answers if a not in late])
    (closed_to,) = (await rig.rows("SELECT closed_to FROM lines"))[0]

    await play(rig, late)
    await play(rig, late)

    assert await rig.rows("SELECT sum(answers) FROM ticks") == [(len(answers),)]
    moved = await rig.rows(
        f"SELECT count(*) FROM counted WHERE minute > {closed_to}"
        f" AND id IN ({','.join(repr(a.id) for a in late)})"
    )
    assert moved == [(len(late),)]


async def test_what_is_imported_after_a_few_answers_of_today_keeps_its_time(
    rig: AlertsRig,
) -> None:
    today = [scored(900_000 + i, rig.now, detractor=True) for i in range(5)]

    await play(rig, today)
    (alert,) = await play(rig, history(until=SPIKE_ENDS))

    assert SPIKE < alert.opened_at < SPIKE_ENDS


async def test_an_amendment_moves_what_was_not_judged_and_nothing_else(rig: AlertsRig) -> None:
    answers = history(until=SPIKE, spike=False)
    await play(rig, answers)
    judged, opened = answers[30], answers[-1]
    (before,) = await rig.rows("SELECT sum(answers), sum(detractors) FROM ticks")

    changed = [
        scored(
            int(a.id[2:]), a.answered_at, detractor=a.klass != "detractor",
            version=f"{a.version}x", segments={"region": "Mars"},
        )
        for a in (judged, opened)
    ]  # fmt: skip
    await play(rig, changed)

    (after,) = await rig.rows("SELECT sum(answers), sum(detractors) FROM ticks")
    assert after[0] == before[0]
    assert after[1] - before[1] == (-1 if opened.klass == "detractor" else 1)
    leaves = await rig.rows("SELECT id, leaf FROM counted WHERE leaf LIKE '%Mars%'")
    assert leaves == [(opened.id, '{"region":"Mars"}')]
