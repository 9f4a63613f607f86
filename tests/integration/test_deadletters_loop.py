"""The loop and its dead letters: none stops it, and an operator's trial does not pause a topic."""

from collections.abc import Sequence

import pytest
from aiokafka.consumer import fetcher
from aiokafka.producer import message_accumulator as accumulator
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.stream import Broker, Decoded, Outgoing, Partition, Record
from shared.stream.kafka import open_producer, open_source
from shared.stream.letters import read_letter
from tests.support.kafka import on_both
from tests.support.letters import held
from tests.support.stream import TOPIC, Rig, engine, eventually, module_database_url, write

__all__ = ["engine", "module_database_url"]

HOME = Partition(TOPIC, 0)
REPLAY = (("earshot-replay-of", b"3@17"), ("earshot-failures", b"2"))


@pytest.fixture
def rig(engine: AsyncEngine) -> Rig:
    return Rig(engine)


@pytest.mark.parametrize("word", [b"poison", b"bug"])
async def test_replays_that_fail_again_do_not_pause_their_topic(rig: Rig, word: bytes) -> None:
    log = rig.source.log[HOME]
    log.extend(Record(TOPIC, 0, n, None, word, REPLAY, 1_000) for n in range(150))
    rig.source.append(TOPIC, b"live")

    async with rig.running():
        await rig.until(1, within_s=90)  # of `bug`, each takes transactions of its own

    assert rig.health.paused == set()
    assert len(rig.letters()) == 150
    assert dict(rig.producer.sent[0].headers)["earshot-failures"] == b"3"


@on_both
async def test_a_record_of_nothing_is_a_dead_letter_and_the_rest_goes_on(
    rig: Rig, broker: Broker
) -> None:
    async def refuse_nothing(items: Sequence[Decoded], connection: AsyncConnection) -> None:
        if not all(item.value for item in items):
            raise ZeroDivisionError
        await write(items, connection)

    rig.handle = refuse_nothing
    async with open_producer(broker) as producer:
        rig.producer = producer  # type: ignore[assignment]
        await producer.send([Outgoing(TOPIC, None, None), Outgoing(TOPIC, b"k", b"good")])
        source = open_source(broker, [TOPIC], rig.engine, rig.metrics, group="earshot-test")
        async with source as opened, rig.running(opened):
            await rig.until(1)
            await eventually(lambda: rig.outcomes().get("dead-letter") == 1)

    (letter,) = map(read_letter, await held(broker, "dead-letters"))
    assert (letter.key, letter.value, letter.reason) == (None, None, "bug")
    assert await rig.words() == ["good"]


class NotUtf8(str):
    """A header's name as clients in C may send it."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"\xff\xfe"


@on_both
async def test_a_header_name_that_is_not_utf8_hides_no_record(
    rig: Rig, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetcher, "MemoryRecords", fetcher.MemoryRecords)  # put back at the end
    words = [b"first", b"odd", b"poison", b"last"]
    headers = [(), ((NotUtf8("x"), b"1"), ("y", None)), (), (("z", b"2"),)]
    with monkeypatch.context() as patch:
        patch.setattr(accumulator, "DefaultRecordBatchBuilder", _DefaultRecordBatchBuilderPy)
        async with open_producer(broker) as producer:
            await producer.send(
                [Outgoing(TOPIC, b"k", *one, 0) for one in zip(words, headers, strict=True)]
            )

    source = open_source(broker, [TOPIC], rig.engine, rig.metrics, group="earshot-test")
    async with source as opened, rig.running(opened):
        await rig.until(3)

    assert await rig.words() == ["first", "last", "odd"]
    assert [value for _, value in rig.letters()] == [b"poison"]
