"""A topic that is mostly poison: paused, one record a minute, resumed; the others go on."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.stream import Partition
from shared.stream import poison as poison_module
from tests.support.stream import TOPIC, Rig, engine, eventually, module_database_url

__all__ = ["engine", "module_database_url"]

OPTOUTS = "survey-optouts"
HOME = Partition(TOPIC, 0)


@pytest.fixture
def rig(engine: AsyncEngine) -> Rig:
    return Rig(engine, (TOPIC, OPTOUTS))


@pytest.fixture
def minute(monkeypatch: pytest.MonkeyPatch) -> float:
    monkeypatch.setattr(poison_module, "TRICKLE_S", 0.15)
    return 0.15


@pytest.mark.parametrize("word", [b"poison", b"bug"])
async def test_a_poisoned_topic_is_paused_and_the_others_go_on(rig: Rig, word: bytes) -> None:
    rig.source.append(TOPIC, *[word] * 300)
    async with rig.running():
        await eventually(lambda: rig.health.paused == {TOPIC})
        rig.source.append(OPTOUTS, b"a")
        await rig.until(1)

    assert rig.source.next_of[HOME] == len(rig.letters()) == 101
    assert rig.source.paused == {TOPIC}
    assert "mostly poison" in (rig.health.fault() or "")
    assert rig.counted("topic_paused", topic=TOPIC) == 1


async def test_one_record_a_minute_is_tried_although_others_arrive(rig: Rig, minute: float) -> None:
    rig.source.append(TOPIC, *[b"poison"] * 150)
    async with rig.running():
        await eventually(lambda: len(rig.letters()) == 101)
        rig.source.append(OPTOUTS, b"a")
        await eventually(lambda: rig.source.next_of[HOME] == 102)
        rig.source.append(OPTOUTS, b"b")
        await eventually(lambda: rig.source.next_of[HOME] == 103)

    assert await rig.words() == ["a", "b"]
    assert rig.health.paused == {TOPIC}


async def test_a_good_record_ends_the_pause_and_none_was_lost(rig: Rig, minute: float) -> None:
    rig.source.append(TOPIC, *[b"poison"] * 101, *[b"%d" % n for n in range(40)])
    rig.source.append(TOPIC, *[b"1-%d" % n for n in range(40)], number=1)

    async with rig.running():
        words = await rig.until(80)
        await eventually(lambda: not rig.health.paused)

    assert len(set(words)) == len(words) == 80
    assert rig.counted("topic_paused", topic=TOPIC) == 0
    assert rig.source.paused == set()


async def test_a_tried_record_that_fails_late_does_not_end_the_pause(
    rig: Rig, minute: float
) -> None:
    rig.source.append(TOPIC, *[b"poison"] * 101, *[b"bug"] * 50)

    async with rig.running():
        await eventually(lambda: rig.source.next_of.get(HOME) == 103)

        assert rig.health.paused == {TOPIC}
    assert [reason for reason, _ in rig.letters()][-2:] == ["bug", "bug"]
