"""Many callers share one acknowledgement; nobody waits for more than one bound."""

import asyncio
from collections.abc import Sequence

import pytest

from services.ingest.handlers import outbox as outbox_module
from services.ingest.handlers.outbox import Outbox
from shared.stream.records import KafkaUnavailable, Outgoing


class Gate:
    """A producer whose acknowledgements the test gives."""

    def __init__(self) -> None:
        self.batches: list[Sequence[Outgoing]] = []
        self.together: set[bool] = set()
        self.open = asyncio.Event()
        self.away = False

    async def send(self, records: Sequence[Outgoing], *, together: bool = False) -> None:
        self.batches.append(records)
        self.together.add(together)
        await self.open.wait()
        if self.away:
            raise KafkaUnavailable("away")


def record(number: int) -> Outgoing:
    return Outgoing("survey-responses", b"%d" % number, b"{}")


async def turn() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


async def test_the_records_of_one_turn_travel_together() -> None:
    gate = Gate()
    gate.open.set()
    outbox = Outbox(gate)

    await asyncio.gather(*(outbox.put(record(number)) for number in range(50)))

    assert [len(batch) for batch in gate.batches] == [50]


async def test_nothing_is_acknowledged_before_kafka_has_it() -> None:
    gate = Gate()
    ticket = Outbox(gate).put(record(1))

    await turn()
    assert not ticket.done()
    gate.open.set()

    await ticket


async def test_while_batches_are_under_way_the_rest_grows_into_the_next() -> None:
    gate = Gate()
    outbox = Outbox(gate)
    tickets = []
    for number in range(20):
        tickets.append(outbox.put(record(number)))
        await turn()

    gate.open.set()
    await asyncio.gather(*tickets)

    assert [len(batch) for batch in gate.batches] == [1, 1, 1, 1, 16]


async def test_of_a_past_one_batch_is_under_way_and_goes_to_all_partitions() -> None:
    gate = Gate()
    outbox = Outbox(gate, spread=True)
    tickets = []
    for number in range(3):
        tickets.append(outbox.put(*(record(100 * number + each) for each in range(100))))
        await turn()

    gate.open.set()
    await asyncio.gather(*tickets)

    assert [len(batch) for batch in gate.batches] == [100, 200]
    assert gate.together == {False}


async def test_a_flight_is_bounded_and_the_rest_goes_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "_ABOARD", 250)
    gate = Gate()
    gate.open.set()
    outbox = Outbox(gate, spread=True)

    await asyncio.gather(*(outbox.put(*(record(n) for n in range(100))) for _ in range(7)))
    await outbox.put(record(1))

    assert [len(batch) for batch in gate.batches] == [300, 300, 100, 1]


async def test_when_kafka_is_away_those_behind_fail_at_once() -> None:
    gate = Gate()
    gate.away = True
    outbox = Outbox(gate)
    tickets = []
    for number in range(10):
        tickets.append(outbox.put(record(number)))
        await turn()

    gate.open.set()
    found = await asyncio.gather(*tickets, return_exceptions=True)

    assert [type(fault) for fault in found] == [KafkaUnavailable] * 10
    assert len(gate.batches) == 4


async def test_a_caller_that_gives_up_takes_nobody_with_it() -> None:
    gate = Gate()
    outbox = Outbox(gate)
    first, second = outbox.put(record(1)), outbox.put(record(2))

    first.cancel()
    gate.open.set()

    await second
    await outbox.close()


async def test_closing_waits_for_what_was_taken() -> None:
    gate = Gate()
    outbox = Outbox(gate)
    ticket = outbox.put(record(1))

    closing = asyncio.create_task(outbox.close())
    await turn()
    assert not closing.done()
    gate.open.set()
    await closing

    assert ticket.done()


async def test_too_many_waiting_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "MOST_WAITING", 100)
    outbox = Outbox(Gate())
    tickets = [outbox.put(*(record(number) for number in range(20))) for _ in range(5)]

    with pytest.raises(KafkaUnavailable):
        await outbox.put(record(0))

    assert not any(ticket.done() for ticket in tickets)


async def test_a_bug_in_the_producer_reaches_every_caller() -> None:
    class Broken:
        async def send(self, records: Sequence[Outgoing], *, together: bool = False) -> None:
            raise RuntimeError("a bug")

    outbox = Outbox(Broken())

    with pytest.raises(RuntimeError):
        await asyncio.wait_for(outbox.put(record(1)), 1)
