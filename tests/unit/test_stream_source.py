"""Kafka's source: idling, holding topics, telling Kafka where it stands."""

import asyncio
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
)

from shared.stream import KafkaUnavailable
from shared.stream.kafka.commits import Commits
from shared.stream.kafka.names import Names
from tests.support.raw import ONE, TP0, TP1, ZERO, RawConsumer, Stand, joined, messages


@pytest.fixture
async def stand() -> Stand:
    return await joined()


async def test_idling_pauses_all_and_what_came_nevertheless_is_placed_anew(stand: Stand) -> None:
    seen: list[set[TopicPartition]] = []

    async def getmany(timeout_ms: int, max_records: int) -> Any:
        seen.append(set(stand.raw.paused))
        return {TP1: messages(TP1, 0)}

    stand.raw.getmany = getmany  # type: ignore[method-assign]
    await stand.source.idle(0)

    assert seen == [{TP0, TP1}]
    assert stand.raw.paused == {TP1}
    assert set(stand.source.next_of) == {ZERO}


async def test_a_held_topic_stays_paused_after_idling_and_a_rebalance(stand: Stand) -> None:
    stand.source.pause_topic("t")
    stand.source.pause_topic("t")
    await stand.source.idle(0)
    assert stand.raw.paused == {TP0, TP1}
    stand.raw.assign()
    await stand.source.poll(0)
    assert stand.raw.paused == {TP0, TP1}

    stand.source.resume_topic("t")

    assert stand.raw.paused == set()


async def test_what_a_held_topic_grows_by_is_seen(stand: Stand) -> None:
    stand.source.pause_topic("t")
    stand.raw.ends[TP0] = 50
    await stand.source.poll(0)

    assert stand.source.lag() == {ZERO: 50, ONE: 20}

    stand.raw.ends[TP0] = 60
    await stand.source.poll(0)
    assert stand.source.lag()[ZERO] == 50  # asked again in 2 s


async def test_nothing_that_was_fetched_is_lost_where_a_held_topics_end_is_not_told(
    stand: Stand,
) -> None:
    stand.source.pause_topic("t")
    stand.raw.polls = [{TP0: messages(TP0, 0, 1)}]
    stand.raw.faults = [KafkaConnectionError("away")]
    with pytest.raises(KafkaUnavailable):
        await stand.source.poll(0)

    assert [record.offset for record in await stand.source.poll(0)] == [0, 1]


async def test_commits_run_one_at_a_time_and_only_when_something_changed() -> None:
    told: list[dict[TopicPartition, int]] = []
    turn, raw, commits = asyncio.Event(), RawConsumer({TP0: 1}), Commits(Names("p-"))

    async def commit(offsets: dict[TopicPartition, int]) -> None:
        told.append(offsets)
        await turn.wait()

    raw.commit = commit  # type: ignore[method-assign]
    for offset in (0, 1, 2):
        commits.tell(raw, {ZERO: offset})
        await asyncio.sleep(0)
    turn.set()
    await commits.finish()
    for _ in range(2):
        commits.tell(raw, {ZERO: 2})
        await commits.finish()
    commits.forget()
    commits.tell(raw, {})

    assert told == [{TP0: 0}, {TP0: 2}]


async def test_a_commit_that_fails_is_tried_again_later() -> None:
    raw, commits = RawConsumer({TP0: 1}), Commits(Names("p-"))
    raw.faults = [KafkaError("rebalancing")]

    for _ in range(3):
        commits.tell(raw, {ZERO: 1})
        await commits.finish()

    assert raw.committed == [{TP0: 1}]


async def test_closing_waits_for_the_commit_under_way(stand: Stand) -> None:
    stand.source.commit_best_effort()
    await stand.source.close()

    assert stand.raw.committed == [{TP0: 0, TP1: 0}]
    assert stand.raw.stopped == 1
