"""Counting and judging on real PostgreSQL: a spike alarms once, whatever the order of arrival."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.domain.alerts import Alert, State
from shared.db import open_engine
from shared.events import ScoredResponse
from tests.support.alerts import PARTITIONS, START, AlertsRig, finish, judging, scored

REGIONS, PRODUCTS = ("EU", "US"), ("shoes", "hats", "bags")
BAD = {"region": "EU", "product": "shoes"}
SPIKE = START + timedelta(hours=36)
SPIKE_ENDS = SPIKE + timedelta(hours=10)


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(fresh_database_url, schema="alerts") as engine:
        yield engine


@pytest.fixture
def rig(engine: AsyncEngine) -> AlertsRig:
    return AlertsRig(engine)


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


async def test_duplicates_and_uneven_partitions_change_nothing(
    engine: AsyncEngine, rig: AlertsRig
) -> None:
    answers = history()
    expected = told(await play(rig, answers))
    await _empty(engine)
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


async def test_late_answers_join_the_oldest_open_minute_and_count_once(rig: AlertsRig) -> None:
    answers = history(spike=False)
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


async def test_a_fault_between_judging_and_commit_changes_nothing(
    engine: AsyncEngine, rig: AlertsRig
) -> None:
    answers = history()
    expected = told(await play(rig, answers))
    await _empty(engine)
    broken = AlertsRig(engine)
    async with engine.begin() as connection:
        await connection.execute(sa.text("ALTER TABLE changes ADD CHECK (change = 'opened')"))
    broken.put(answers)
    await broken.count_all()
    judge = broken.judge()
    with pytest.raises(sa.exc.IntegrityError):  # all is judged, and the commit never comes
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


async def _empty(engine: AsyncEngine) -> None:
    tables = "counted, ticks, remarks, heard, lines, streams, alerts, changes, deliveries, offsets"
    async with engine.begin() as connection:
        await connection.execute(sa.text(f"TRUNCATE {tables}"))
