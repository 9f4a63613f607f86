"""A fault of ours in one customer's question: the others are decided, and no worker ends."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from services.trigger.consumer import build_publish
from services.trigger.handlers import Desk
from services.trigger.metrics import REGISTRY
from services.trigger.store.schedules import take_schedule
from services.trigger.worker import counting
from services.trigger.worker import reminders as reminders_module
from services.trigger.worker import schedules as schedules_module
from services.trigger.worker.reminders import Reminding
from services.trigger.worker.schedules import Schedules
from shared.programme.surveys import AfterFirst
from shared.stream import KafkaUnavailable
from tests.support.reminders import LETTERS, everything_heard, remind, reminding, rows
from tests.support.trigger import later
from tests.support.trigger_rig import Rig, emptied
from tests.support.trigger_schedules import DAY, Scheduled, asking

SPOILT = """'{"region": {"not": "text"}}'"""
SPOIL = "UPDATE invitations SET segments = '5'"
SURVEY = {"survey": "relationship"}
HALF_AGO = """
    INSERT INTO firsts SELECT customer_id, 'transaction.paid', seen_at + 99.5 * interval '1 day'
    FROM contacts
"""
Run = Callable[[asyncio.Event], Coroutine[Any, Any, None]]


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"earshot_trigger_{name}", labels) or 0.0


def failures(worker: str, verdict: str = "bug") -> float:
    return value("worker_failures_total", worker=worker, verdict=verdict)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with emptied(database_url) as engine:
        yield engine


@pytest.fixture
def town(engine: AsyncEngine) -> Scheduled:
    return Scheduled(engine)


@pytest.fixture
def rig(engine: AsyncEngine) -> Rig:
    return Rig(engine)


async def change(engine: AsyncEngine, *statements: str) -> None:
    async with engine.begin() as connection:
        for statement in statements:
            await connection.execute(sa.text(statement))


async def run(worker: Run, until: Callable[[], bool]) -> None:
    """Let a worker run until this is so; what ends it before is raised."""
    stop = asyncio.Event()
    running = asyncio.ensure_future(worker(stop))
    async with asyncio.timeout(5):
        while not until() and not running.done():
            await asyncio.sleep(0.005)
    stop.set()
    await running


@pytest.mark.parametrize(
    ("rhythm", "times"),
    [({"every": DAY}, 2), ({"after_first": AfterFirst(on="transaction.paid", wait=DAY)}, 1)],
)
async def test_a_customer_who_cannot_be_read_is_left_out_and_nobody_else(
    town: Scheduled, rhythm: dict[str, Any], times: int
) -> None:
    everybody = await town.settle(40)
    town.programme = asking(**rhythm)
    await town.move()
    spoil = f"UPDATE contacts SET segments = {SPOILT} WHERE customer_id = 'c-7'"
    await change(town.engine, HALF_AGO, spoil)
    before = value("schedule_skipped_total", **SURVEY)

    await town.days(2)

    others = sorted(set(everybody) - {"c-7"})
    assert sorted(await town.asked()) == sorted(others * times)
    assert value("schedule_skipped_total", **SURVEY) == before + times


async def test_weather_in_a_schedule_leaves_nobody_out(town: Scheduled) -> None:
    everybody = await town.settle(10)
    town.programme = asking(every=DAY)
    await town.move()
    town.now += DAY
    before = value("schedule_skipped_total", **SURVEY)

    town.kill = lambda: True
    with pytest.raises(KafkaUnavailable):
        await town.move()
    town.kill = lambda: False
    await town.move()

    assert sorted(await town.asked()) == sorted(everybody)
    assert value("schedule_skipped_total", **SURVEY) == before


async def test_a_schedule_that_fails_ends_no_worker(
    town: Scheduled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedules_module, "_LOOK_EVERY_S", 0.001)
    monkeypatch.setattr(schedules_module, "next_leg", lambda *_: 1 // 0)
    town.programme = asking(every=DAY)
    before = failures("schedules")

    worker = Schedules(town.engine, town.publish, town.desk, lambda: None)
    await run(worker.run, lambda: failures("schedules") >= before + 2)


async def test_how_far_a_schedule_is_behind_is_known_to_who_does_not_move_it(
    town: Scheduled,
) -> None:
    town.programme = asking(every=40 * DAY)
    await town.move()
    town.now += 3 * DAY

    async with town.engine.begin() as elsewhere:
        await take_schedule(elsewhere, "relationship", town.now)
        assert await town.move() == 0
    assert value("schedule_behind_seconds", **SURVEY) == 3 * 86_400

    await town.days(1)
    await town.move()
    assert value("schedule_behind_seconds", **SURVEY) == 2 * 86_400


async def test_a_reminder_that_cannot_be_decided_keeps_nobody_else_waiting(rig: Rig) -> None:
    for number in (1, 2, 3):
        await rig.book(number, **reminding(hours=2, expires=timedelta(hours=5)))
    await rig.worker().once()
    await change(rig.engine, SPOIL + " WHERE customer_id = 'c-2'")
    before = value("reminders_put_off_total")
    reminded = "SELECT customer_id FROM invitations WHERE reminder = 1 ORDER BY 1"

    rig.clock.now = later(hours=2)
    await remind(rig)

    assert await rows(rig, reminded) == [("c-1",), ("c-3",)]
    assert await rig.row("remind_at", 2) == (later(hours=3),)
    assert value("reminders_put_off_total") == before + 1

    rig.clock.now = later(hours=3)
    await change(rig.engine, "UPDATE invitations SET segments = '{}' WHERE customer_id = 'c-2'")
    await remind(rig)

    assert await rows(rig, reminded) == [("c-1",), ("c-2",), ("c-3",)]


async def test_a_reminder_is_given_up_when_its_question_is_over(rig: Rig) -> None:
    await rig.book(**reminding(hours=2, expires=timedelta(hours=3)))
    await rig.worker().once()
    await change(rig.engine, SPOIL)

    rig.clock.now = later(hours=2)
    await remind(rig)

    assert await rig.row("remind_at") == (None,)
    assert await rows(rig, LETTERS) == [(0, "sent")]


async def test_reminders_that_fail_end_no_worker(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reminders_module, "_LOOK_EVERY_S", 0.001)

    def spoilt() -> Desk:
        raise ValueError("spoilt")

    worker = Reminding(
        rig.engine,
        build_publish(rig.topics),
        spoilt,
        lambda: None,
        everything_heard,
    )
    before = failures("reminders")

    await run(worker.run, lambda: failures("reminders") >= before + 2)


async def test_counting_that_cannot_begin_is_tried_again_and_seldom_said(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "LOOK_AGAIN_S", 0.001)
    pairs: Sequence[Any] = [("post-call", "\0")]  # which PostgreSQL refuses as text
    before = failures("counting", "data")

    async def worker(stop: asyncio.Event) -> None:
        await counting.run_counting(engine, pairs, stop)

    with capture_logs() as logs:
        await run(worker, lambda: failures("counting", "data") >= before + 3)

    assert [line["log_level"] for line in logs] == ["error"]
