"""Schedules on real PostgreSQL, the clock in hand: everybody asked once, whatever happens."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from importlib import import_module

import pytest
import sqlalchemy as sa

from services.trigger.domain.schedules import period_at, slot_of
from services.trigger.store.schedules import take_schedule
from shared.columns import columns
from shared.db import open_engine
from shared.programme.models import Cap
from shared.programme.surveys import Calendar
from shared.stream import KafkaUnavailable
from tests.support.trigger import NOW, call_ended
from tests.support.trigger_schedules import CONTACT, DAY, KEEP, Scheduled, asking

pytestmark = pytest.mark.thorough


@pytest.fixture
async def town(fresh_database_url: str) -> AsyncIterator[Scheduled]:
    async with open_engine(fresh_database_url, schema="trigger") as engine:
        yield Scheduled(engine)


async def test_in_a_quarter_each_of_2000_is_asked_once_and_evenly(town: Scheduled) -> None:
    """Against even days: chi-square with 91 degrees of freedom, 139 is passed by 1 in 1,000."""
    everybody = await town.settle(2000)
    quarter = period_at(Calendar.QUARTER, NOW, town.programme.zone)
    town.now = quarter.start
    assert await town.move() == 0  # begins now

    await town.days(92)
    town.now = quarter.end
    await town.move()

    assert sorted(await town.asked()) == sorted(everybody)
    assert {d.subject_id for d in town.told} == {"2026-Q4"}
    days = await town.by_day(quarter.start)
    fair = 2000 / 92
    assert sum((number - fair) ** 2 / fair for number in days) < 139
    assert max(days) <= fair + 4 * fair**0.5
    lasting = "SELECT count(*) FROM contacts WHERE seen_at > '2026-09-30'"
    assert (await town.rows(lasting))[0][0] == 0  # asking is no news of a customer


async def test_whoever_is_killed_in_the_middle_asks_nobody_twice_and_leaves_nobody_out(
    town: Scheduled,
) -> None:
    everybody = await town.settle(300)
    town.programme = asking(every=10 * DAY)
    await town.move()
    calls = iter(range(1000))
    town.kill = lambda: next(calls) % 3 == 1

    for _ in range(10):
        town.now += DAY
        for _ in range(4):
            workers = (town.move(most=11) for _ in range(3))
            ended = await asyncio.gather(*workers, return_exceptions=True)
            assert {type(e) for e in ended} <= {int, KafkaUnavailable}
    town.kill = lambda: False
    await town.move()

    assert sorted(await town.asked()) == sorted(everybody)
    about: dict[tuple[str, str], set[str | None]] = {}
    for told in town.told:
        about.setdefault((told.event_id, str(told.customer_id)), set()).add(told.invitation_id)
    assert len(about) == 300
    assert {len(ids) for ids in about.values()} == {1}


async def test_one_process_moves_a_schedule_at_a_time_and_in_parts_if_need_be(
    town: Scheduled,
) -> None:
    everybody = await town.settle(30)
    town.programme = asking(every=DAY)
    await town.move()
    town.now += DAY

    async with town.engine.begin() as elsewhere:
        assert await take_schedule(elsewhere, "relationship", town.now) is not None
        assert await town.move(most=7) == 0

    assert await town.move(most=7) == 30
    assert sorted(await town.asked()) == sorted(everybody)


async def test_ten_days_of_outage_flood_no_day(town: Scheduled) -> None:
    """2,000 in 40 days are 50 a day; at twice the pace 100, of which 4 deviations are 40."""
    everybody = await town.settle(2000)
    town.programme = asking(every=40 * DAY)
    town.now = begin = period_at(40 * DAY, NOW, town.programme.zone).start
    await town.move()
    await town.days(10)
    town.now += 10 * DAY

    await town.days(20)

    days = await town.by_day(begin)
    assert days[10:20] == [0] * 10
    assert all(60 <= number <= 140 for number in days[20:30])
    assert all(number <= 50 + 4 * 7 for number in (*days[:10], *days[30:]))
    assert {d.reason for d in town.told} == {"asked"}  # and not too-old
    assert sorted(await town.asked()) == sorted(everybody)


async def test_a_customer_whose_cap_is_used_up_is_not_asked_and_the_ledger_says_so(
    town: Scheduled,
) -> None:
    await town.settle(1)
    town.programme = asking(every=10 * DAY).model_copy(
        update={"caps": (Cap(most=1, per=30 * DAY),)}
    )
    await town.move()
    await town.hear(call_ended(1, customer={"id": "c-0"}))

    await town.days(10)

    found = await town.rows("SELECT trigger, reason, event_id FROM decisions ORDER BY seq")
    subject = town.told[-1].subject_id
    assert found == [
        ("after-call", "asked", "evt-1"),
        ("relationship", "too-many-recently", f"relationship/{subject}/c-0"),
    ]
    assert await town.asked() == []


async def test_whoever_comes_late_waits_for_the_next_period(town: Scheduled) -> None:
    town.programme = asking(every=10 * DAY)
    town.now = period_at(10 * DAY, NOW, town.programme.zone).start
    await town.move()
    await town.days(5)
    late = [each for each in await town.settle(100) if slot_of(each)]

    await town.days(5)
    first = set(await town.asked())
    await town.days(10)

    assert 0 < len(first) < len(late)
    assert Counter(await town.asked()) == {each: 1 + (each in first) for each in late}


async def test_the_slots_of_those_known_before_are_filled_in_as_we_work_them_out(
    town: Scheduled,
) -> None:
    names = [*await town.settle(3), "Zoë 김 c-1"]
    statements = vars(import_module("migrations.trigger.versions.0005_asking"))["_UP"]
    (fill_in,) = (each for each in statements if "UPDATE contacts SET slot" in each)
    async with town.engine.begin() as connection:
        await connection.execute(KEEP, columns(CONTACT, [(names[-1], None, None, NOW)]))
        await connection.execute(sa.text("UPDATE contacts SET slot = NULL"))
        await connection.execute(sa.text(fill_in.replace("::", "\\:\\:")))

    found = await town.rows("SELECT customer_id, slot FROM contacts")

    assert dict(found) == {name: slot_of(name) for name in names}
