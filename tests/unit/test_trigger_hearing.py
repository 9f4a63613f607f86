"""Reminders wait until the answers are heard that Kafka has."""

import asyncio
import time
from collections.abc import Iterable, Mapping

import pytest
from structlog.testing import capture_logs

from services.trigger.metrics import REGISTRY
from services.trigger.worker import hearing
from services.trigger.worker.hearing import Hearing
from shared.stream import KafkaUnavailable, Partition

FIRST, SECOND, EMPTY = (Partition("scored-responses", number) for number in range(3))


class Log:
    """Where the partitions end, and where their consumers stand; each look takes the next end."""

    def __init__(self, ends: dict[Partition, int], stands: dict[Partition, int]) -> None:
        self.end_of, self.stand_of, self.looked = ends, stands, asyncio.Event()

    async def ends(self) -> Mapping[Partition, int]:
        return dict(self.end_of)

    async def stands(self, homes: Iterable[Partition]) -> Mapping[Partition, int]:
        self.looked.set()
        return {home: self.stand_of[home] for home in homes if home in self.stand_of}


def hearing_of(ends: dict[Partition, int], stands: dict[Partition, int]) -> tuple[Hearing, Log]:
    log = Log(ends, stands)
    return Hearing(log.ends, log.stands), log


async def test_all_is_heard_where_nobody_has_further_to_go() -> None:
    heard, _ = hearing_of({FIRST: 3, SECOND: 1, EMPTY: 0}, {FIRST: 3, SECOND: 5})
    assert not heard.lately()

    assert await heard.until_heard(asyncio.Event())

    assert heard.lately()


async def test_it_waits_for_what_there_was_and_not_for_what_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hearing, "_LOOK_AGAIN_S", 0.001)
    heard, log = hearing_of({FIRST: 3, SECOND: 1}, {FIRST: 3})
    waiting = asyncio.ensure_future(heard.until_heard(asyncio.Event()))
    await log.looked.wait()
    log.end_of[SECOND] = 9
    await asyncio.sleep(0.01)
    assert not waiting.done()
    assert not heard.lately()

    log.stand_of[SECOND] = 1

    assert await waiting
    assert heard.lately()


async def test_who_stops_has_not_heard_all() -> None:
    heard, log = hearing_of({FIRST: 1}, {})
    stop = asyncio.Event()
    waiting = asyncio.ensure_future(heard.until_heard(stop))
    await log.looked.wait()
    stop.set()

    assert not await waiting
    assert not heard.lately()


async def test_what_kafka_does_not_say_is_not_heard() -> None:
    async def away() -> Mapping[Partition, int]:
        raise KafkaUnavailable("away")

    heard = Hearing(away, Log({}, {}).stands)

    with pytest.raises(KafkaUnavailable):
        await heard.until_heard(asyncio.Event())
    assert not heard.lately()


def held() -> float | None:
    return REGISTRY.get_sample_value("earshot_trigger_reminders_held_seconds")


async def test_how_long_reminders_are_held_back_is_told_and_said_once_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard, log = hearing_of({}, {})
    began = time.monotonic()
    clock = [began]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    async def away() -> Mapping[Partition, int]:
        raise KafkaUnavailable("away")

    heard.ends = away
    told, said = [], []
    for passed in (30.0, 61.0, 90.0, 122.0):
        clock[0] = began + passed
        with capture_logs() as logs, pytest.raises(KafkaUnavailable):
            await heard.until_heard(asyncio.Event())
        told.append(held())
        said.append(len(logs))
    heard.ends = log.ends
    await heard.until_heard(asyncio.Event())

    assert told == pytest.approx([30.0, 61.0, 90.0, 122.0], abs=0.5)
    assert said == [0, 1, 0, 1]
    assert held() == 0
