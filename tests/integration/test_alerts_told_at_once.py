"""What a judge raises is told at once; nobody waits for the next look."""

import asyncio
from collections import Counter

from services.alerts.domain.alerts import Change
from services.alerts.worker.publishing import Publishing
from services.alerts.worker.turns import take_turns
from shared.db import open_engine
from shared.stream.pipeline import Health
from tests.support.alerts import AlertsRig
from tests.support.alerts_history import history, play
from tests.support.alerts_stage import FakeKafka, Stage, fresh, receiver, stage
from tests.support.receivers import Receiver

__all__ = ["receiver", "stage"]
NEVER_S = 3600.0


async def test_who_is_woken_takes_a_turn_and_news_within_a_turn_are_not_lost() -> None:
    stop, wake, turns = asyncio.Event(), asyncio.Event(), Counter[str]()

    async def turn() -> bool:
        turns["taken"] += 1
        if turns["taken"] == 2:
            wake.set()
        if turns["taken"] == 3:
            stop.set()
        return False

    work = take_turns("test", turn, stop, health=Health(), every_s=NEVER_S, wake=wake)
    task = asyncio.create_task(work)
    await asyncio.sleep(0.01)
    assert turns["taken"] == 1
    wake.set()
    async with asyncio.timeout(5):
        await task
    assert turns["taken"] == 3


async def test_judges_say_that_alerts_have_changed_and_nothing_of_a_steady_stream(
    fresh_database_url: str,
) -> None:
    said = Counter[str]()
    async with open_engine(fresh_database_url, schema="alerts") as engine:
        rig = AlertsRig(engine, changed=lambda: said.update(["changed"]))
        await play(rig, history())
        assert said["changed"] >= 2  # opened, resolved
        assert said["changed"] <= len(await rig.rows("SELECT 1 FROM changes"))


async def test_a_destination_that_is_woken_is_told(stage: Stage, receiver: Receiver) -> None:
    hook, stop = stage.add("hook", receiver.url, "webhook"), asyncio.Event()
    task = asyncio.create_task(hook.run(stop, every_s=NEVER_S))
    await asyncio.sleep(0.1)
    await stage.tell((fresh(), Change.OPENED))

    hook.news.set()

    await receiver.until(1)
    stop.set()
    await task


async def test_what_is_to_be_published_goes_when_it_is_woken(stage: Stage) -> None:
    kafka, stop = FakeKafka(), asyncio.Event()
    publishing = Publishing(stage.outbox, kafka)
    task = asyncio.create_task(publishing.run(stop, every_s=NEVER_S))
    await asyncio.sleep(0.1)
    await stage.tell((fresh(), Change.OPENED))

    publishing.news.set()

    async with asyncio.timeout(5):
        while not kafka.taken:
            await asyncio.sleep(0.01)
    stop.set()
    await task
