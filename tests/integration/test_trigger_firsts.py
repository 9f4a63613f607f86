"""Asked once, so long after the first event of a type."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from services.trigger.store.retention import Keeping, delete_old
from services.trigger.store.schedules import keep_firsts
from shared.db import open_engine
from shared.events import Event
from shared.programme.surveys import AfterFirst
from shared.stream import KafkaUnavailable
from tests.support.trigger import NOW
from tests.support.trigger_schedules import DAY, Scheduled, asking

PURCHASED = "transaction.purchased"
AFTER = AfterFirst(on=PURCHASED, wait=30 * DAY)
ASKING = {"relationship": AFTER}


def bought(customer: str, at: datetime) -> Event:
    data = {"customer": {"id": customer}}
    return Event(id=f"{customer}-{at}", source="/shop", type=PURCHASED, time=at, data=data)


@pytest.fixture
async def town(fresh_database_url: str) -> AsyncIterator[Scheduled]:
    async with open_engine(fresh_database_url, schema="trigger") as engine:
        yield Scheduled(engine)


async def test_the_first_of_a_type_is_asked_about_once_after_the_wait(town: Scheduled) -> None:
    """All first bought at the same midnight, as a nightly import says: they go in parts."""
    everybody = await town.settle(25)
    town.programme = asking(after_first=AFTER)
    await town.move()
    midnight = NOW + timedelta(hours=12)
    async with town.engine.begin() as connection:
        again = [(each, PURCHASED, midnight + DAY) for each in everybody]
        await keep_firsts(connection, again, ASKING)
        first = [(each, PURCHASED, midnight) for each in everybody]
        await keep_firsts(connection, [*again, *first], ASKING)
        await keep_firsts(connection, again, ASKING)

    await town.days(30)
    assert await town.asked() == []
    town.now += DAY
    kills = iter([False, True])
    town.kill = lambda: next(kills, False)
    with pytest.raises(KafkaUnavailable):
        await town.move(most=4)
    await town.move(most=4)
    await town.days(30)

    assert sorted(await town.asked()) == sorted(everybody)
    assert {d.subject_id for d in town.told} == {f"first:{PURCHASED}"}
    times = await town.rows("SELECT DISTINCT event_time FROM decisions")
    assert times == [(midnight + 30 * DAY,)]


async def test_who_bought_before_the_survey_was_written_is_no_first(town: Scheduled) -> None:
    await town.hear(bought("c-1", NOW))
    town.programme = asking(after_first=AFTER)
    await town.move()
    town.now += DAY
    await town.hear(bought("c-1", town.now), bought("c-2", town.now))

    await town.days(32)

    assert await town.asked() == ["c-2"]


@pytest.mark.parametrize("together", [True, False])
async def test_a_late_earlier_first_behind_the_schedule_leaves_nobody_out(
    town: Scheduled, *, together: bool
) -> None:
    """c-1 would have been asked on the fourth day; c-2's earlier one still counts."""
    town.programme = asking(after_first=AFTER)
    await town.move()
    await town.days(5)
    known = [bought("c-1", town.now - 10 * DAY), bought("c-2", town.now - 10 * DAY)]
    late = [bought("c-1", town.now - 31 * DAY), bought("c-2", town.now - 20 * DAY)]
    between = [bought("c-1", town.now - 12 * DAY)]
    for events in [[*late, *known]] if together else [known, late, between]:
        await town.hear(*events)

    await town.days(11)
    assert await town.asked() == ["c-2"]
    await town.days(20)

    assert await town.asked() == ["c-2", "c-1"]


async def test_a_first_goes_with_the_contact(town: Scheduled) -> None:
    """Else who is long known and comes back would be new."""
    keeping = Keeping(dedupe=40 * DAY, retention=400 * DAY)
    async with town.engine.begin() as connection:
        await keep_firsts(connection, [(name, PURCHASED, NOW) for name in ("c-1", "c-2")], ASKING)
    town.now += 10 * DAY
    await town.hear(
        Event(id="p", source="/s", type="x.y", time=town.now, data={"customer": {"id": "c-1"}})
    )

    await delete_old(town.engine, keeping, NOW + 401 * DAY)
    assert await town.rows("SELECT customer_id FROM firsts") == [("c-1",)]
    await delete_old(town.engine, keeping, NOW + 411 * DAY)
    assert await town.rows("SELECT customer_id FROM firsts") == []
