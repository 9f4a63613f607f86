"""The Kafka client: replaced when its errors do not end, or when it is stuck."""

import pytest
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    NoOffsetForPartitionError,
)

from shared.stream import KafkaUnavailable
from shared.stream.kafka import client as client_module
from tests.support.raw import TP0, TP1, ZERO, Stand, joined


@pytest.fixture
async def stand() -> Stand:
    return await joined()


async def test_a_missing_offset_or_a_slow_group_is_no_fault(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand.raw.polls = [NoOffsetForPartitionError(TP0), TimeoutError()]

    assert await stand.source.poll(0) == []
    assert await stand.source.poll(0) == []


async def test_what_was_drained_before_an_error_is_fetched_again(stand: Stand) -> None:
    stand.raw.positions = {TP0: 5, TP1: 5}
    stand.raw.polls = [KafkaError("corrupt")]

    with pytest.raises(KafkaUnavailable, match="corrupt"):
        await stand.source.poll(0)

    assert stand.raw.positions == {TP0: 0, TP1: 0}


async def test_a_client_whose_errors_do_not_end_is_replaced(stand: Stand) -> None:
    stand.raw.polls = [GroupAuthorizationFailedError("g")] * 3
    for _ in range(3):
        with pytest.raises(KafkaUnavailable):
            await stand.source.poll(0)

    await stand.source.poll(0)

    first, second = stand.raws
    assert (first.stopped, second.started) == (1, 1)
    assert stand.source.next_of == {}
    assert not stand.source.placed
    second.assign()
    await stand.source.poll(0)
    assert stand.source.placed


async def test_a_client_whose_fetches_died_is_replaced_at_the_next_poll(stand: Stand) -> None:
    stand.raw.fetching.set_exception(RuntimeError("the handler is closed"))

    await stand.source.poll(0)

    first, second = stand.raws
    assert (first.stopped, second.started) == (1, 1)
    assert isinstance(first.fetching.exception(), RuntimeError)


async def test_a_client_that_fetches_nothing_where_there_is_something_is_replaced(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "SILENT_S", -1.0)
    monkeypatch.setattr(client_module, "_AGAIN_S", 0.0)
    await stand.source.poll(0)
    await stand.source.poll(0)
    assert len(stand.raws) == 1

    await stand.source.poll(0)

    assert len(stand.raws) == 2


async def test_a_silent_client_that_has_everything_stays(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "SILENT_S", -1.0)
    stand.raw.positions = {TP0: 10, TP1: 20}
    for _ in range(4):
        await stand.source.poll(0)
    stand.raw.faults = [KafkaConnectionError("away")]
    with pytest.raises(KafkaUnavailable):
        await stand.source.poll(0)

    assert len(stand.raws) == 1


async def test_a_broker_that_does_not_answer_is_weather(stand: Stand) -> None:
    stand.source.replace(ZERO)
    stand.raw.faults = [KafkaConnectionError("away")]
    with pytest.raises(KafkaUnavailable):
        await stand.source.poll(0)

    other = Stand({TP0: 1})
    await other.source.idle(0)
    assert other.source.lag() == {}
    with pytest.raises(KafkaUnavailable, match="not known yet"):
        await other.source.end_offsets("t")
    other.source.pause_topic("t")
    other.source.commit_best_effort()
    await other.source.close()
    assert other.raws == []
