"""Who comes back to a stream is told what changed meanwhile; all readers share one query."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring.api import Reading, live
from services.scoring.api.live import Topics
from services.scoring.api.stream import events
from services.scoring.domain.questions import Question
from services.scoring.domain.sheets import Sheet
from services.scoring.store import adopt
from services.scoring.store.reader import Reader
from shared.db import open_engine
from tests.support.scoring import LAYOUT, START, response
from tests.support.scoring_api import NOW, settle

QUESTION = Question("nps", by=("region",))


class Counting(Reader):
    """A reader that counts what it is asked."""

    asked = together = most = 0

    async def groups(self, *args: Any, **kwargs: Any) -> Sheet:
        type(self).asked += 1
        type(self).together += 1
        type(self).most = max(self.most, self.together)
        try:
            return await super().groups(*args, **kwargs)
        finally:
            type(self).together -= 1


class Stage:
    """One service: a clock, its topics, and readers that each have what they were told."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.now = NOW
        Counting.asked = Counting.together = Counting.most = 0
        reading = Reading(Counting(engine), LAYOUT.paths, "UTC", lambda: self.now, lambda: 0.0)
        self.topics = Topics(reading)

    async def answer(self, key: str, score: int, region: str, at: datetime = START) -> None:
        await settle(
            self.engine, [response(key, score, segments={"region": region}, answered_at=at)]
        )
        self.now += timedelta(seconds=1)


@pytest.fixture
async def stage(fresh_database_url: str) -> AsyncIterator[Stage]:
    async with open_engine(fresh_database_url, schema="scoring") as engine:
        await adopt(engine, LAYOUT)
        found = Stage(engine)
        await found.answer("r-1", 9, "EU")
        await found.answer("r-2", 9, "US")
        yield found


async def heard(stage: Stage, since: str | None = None) -> tuple[str, dict[str, int]]:
    """What a reader is told at once: the last id, and n by region; "" where it is to forget."""
    closing, told, name = asyncio.Event(), dict[str, int](), ""
    with stage.topics.follow(QUESTION, "24h") as topic:
        async for text in events(topic, since, closing):
            lines = dict(line.split(": ", 1) for line in text.decode().splitlines() if line)
            if text.startswith(b":"):
                asyncio.get_running_loop().call_soon(closing.set)  # once the round is under way
            elif lines["event"] == "reset":
                told[""] = 0
            else:
                data = json.loads(lines["data"])
                assert data["segment"]["region"] not in told, "told twice"
                name, told[data["segment"]["region"]] = lines["id"], data["n"]
    return name, told


async def test_whoever_comes_back_is_told_what_changed_and_only_that(stage: Stage) -> None:
    name, first = await heard(stage)
    same = await heard(stage, name)
    await stage.answer("r-3", 0, "EU", stage.now + timedelta(seconds=0.5))
    later, changed = await heard(stage, name)

    assert first == {"EU": 1, "US": 1}
    assert same == ("", {})
    assert changed == {"EU": 2}
    assert await heard(stage, later) == ("", {})


async def test_what_came_late_meanwhile_is_told_with_all_the_rest(stage: Stage) -> None:
    name, _ = await heard(stage)
    await stage.answer("r-3", 0, "EU", START)  # answered before the reader left

    _, told = await heard(stage, name)

    assert told == {"": 0, "EU": 2, "US": 1}


async def test_a_group_that_an_amendment_emptied_is_forgotten(stage: Stage) -> None:
    name, _ = await heard(stage)
    await stage.answer("r-1", 9, "US", START + timedelta(minutes=1))

    assert (await heard(stage, name))[1] == {"": 0, "US": 2}


async def test_a_group_that_left_the_window_is_told_to_whoever_comes_back(stage: Stage) -> None:
    await stage.answer("r-3", 9, "EU", stage.now)
    name, _ = await heard(stage)
    stage.now = START + timedelta(hours=24, seconds=1)

    assert (await heard(stage, name))[1] == {"EU": 1, "US": 0}


@pytest.mark.parametrize("name", ["17", "x", "1764000000000000", "1-0123456789abcdef", "é"])
async def test_whose_id_says_nothing_whole_is_told_all(stage: Stage, name: str) -> None:
    assert (await heard(stage, name))[1] == {"": 0, "EU": 1, "US": 1}


async def test_a_round_that_broke_off_is_told_again(stage: Stage) -> None:
    closing = asyncio.Event()
    with stage.topics.follow(QUESTION, "24h") as topic:
        stream = aiter(events(topic, None, closing))
        await anext(stream)
        broken = (await anext(stream)).decode().splitlines()[1].removeprefix("id: ")

    assert (await heard(stage, broken))[1] == {"": 0, "EU": 1, "US": 1}


async def test_all_readers_of_a_question_share_one_query(stage: Stage) -> None:
    await asyncio.gather(*(heard(stage) for _ in range(20)))

    assert Counting.asked == 1
    assert stage.topics.readers == 0


async def test_a_slow_reader_is_told_what_is_so_when_it_reads_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "EVERY_S", 0.0)
    with stage.topics.follow(QUESTION, "24h") as topic:
        told = (await topic.refresh()).last
        for number in range(3):
            await stage.answer(f"r-1{number}", 9, "EU", stage.now)
            await topic.refresh()
        news = topic.state.news(told)

    assert [(one.segment, one.n) for one in news] == [({"region": "EU"}, 4)]


async def test_questions_that_are_followed_leave_connections_to_others(stage: Stage) -> None:
    wheres = [(("channel", str(number)),) for number in range(8)]
    with ExitStack() as stack:
        topics = [
            stack.enter_context(stage.topics.follow(Question("nps", None, (), where), "24h"))
            for where in wheres
        ]
        await asyncio.gather(*(topic.refresh() for topic in topics))

    assert Counting.asked == len(wheres)
    assert Counting.most == live.READ_AT_ONCE
