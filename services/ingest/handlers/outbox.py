"""Many callers, one acknowledgement: the records of one turn of the loop travel together."""

import asyncio
from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from typing import Final

from services.ingest.handlers.ports import Producer
from shared.stream.records import KafkaUnavailable, Outgoing

MOST_WAITING: Final = 20_000
_ABOARD: Final = 4_000  # of a flight, which has 0.9 s: a tenth of a second on an idle machine
_FLIGHTS: Final = 4

Ticket = asyncio.Future[None]


class Outbox:
    """Gathers records of one topic and sends them in few, larger batches.

    While `_FLIGHTS` batches are unacknowledged the rest waits and grows into the next one. When
    Kafka does not acknowledge a batch, those that wait behind it fail at once, so that nobody
    waits for more than one bound of the producer. Cancelling a caller cancels nobody else.

    A batch goes into one partition: the order of what comes now does not matter, and many small
    batches cost producer, broker and reader. `spread` is for what may be years of a past: each
    batch goes to all partitions by the records' keys, so that each of them holds the same stretch
    of time, however unevenly they are read. Then one is under way at a time: for a partition
    several would wait for one another, and some too long.
    """

    def __init__(self, producer: Producer, *, spread: bool = False) -> None:
        self._producer = producer
        self._spread = spread
        self._most = 1 if spread else _FLIGHTS
        self._loop: asyncio.AbstractEventLoop | None = None  # asking which costs a system call
        self._waiting: list[tuple[Sequence[Outgoing], Ticket]] = []
        self._count = 0
        self._turn: asyncio.Handle | None = None
        self._flights: set[asyncio.Task[None]] = set()

    def put(self, *records: Outgoing) -> Ticket:
        """Take records; the ticket resolves once every in-sync replica has them.

        The ticket raises KafkaUnavailable; so does this call when too many wait.
        """
        if self._count >= MOST_WAITING:
            raise KafkaUnavailable(f"{MOST_WAITING} records wait already")
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        ticket: Ticket = self._loop.create_future()
        self._waiting.append((records, ticket))
        self._count += len(records)
        if self._turn is None and len(self._flights) < self._most:
            self._turn = self._loop.call_soon(self._depart)
        return ticket

    async def close(self) -> None:
        """Return once everything taken is acknowledged or refused."""
        while self._waiting or self._flights:
            if self._flights:
                await asyncio.wait(self._flights)
            else:
                await asyncio.sleep(0)

    def _depart(self) -> None:
        self._turn = None
        if not self._waiting or len(self._flights) >= self._most:
            return
        aboard = self._board()
        records = [record for records, _ in aboard for record in records]
        sending = self._producer.send(records, together=not self._spread)
        flight = asyncio.get_running_loop().create_task(sending)
        self._flights.add(flight)
        flight.add_done_callback(partial(self._land, [ticket for _, ticket in aboard]))

    def _board(self) -> list[tuple[Sequence[Outgoing], Ticket]]:
        """Who goes next, in the order in which they came; the rest waits on."""
        aboard, self._waiting = self._waiting, []
        if self._count > _ABOARD:
            sizes = accumulate(len(records) for records, _ in aboard)
            last = next(place for place, size in enumerate(sizes, 1) if size >= _ABOARD)
            aboard, self._waiting = aboard[:last], aboard[last:]
        self._count = sum(len(records) for records, _ in self._waiting)
        return aboard

    def _land(self, aboard: list[Ticket], flight: asyncio.Task[None]) -> None:
        self._flights.discard(flight)
        error = KafkaUnavailable("stopped") if flight.cancelled() else flight.exception()
        if isinstance(error, KafkaUnavailable):
            aboard += [ticket for _, ticket in self._waiting]
            self._waiting, self._count = [], 0
        _resolve(aboard, error)
        self._depart()


def _resolve(aboard: list[Ticket], error: BaseException | None) -> None:
    for ticket in aboard:
        if ticket.done():
            continue
        if error is None:
            ticket.set_result(None)
        else:
            ticket.set_exception(error)
