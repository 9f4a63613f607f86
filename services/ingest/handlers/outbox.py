"""Many callers, one acknowledgement: the records of one turn of the loop travel together."""

import asyncio
from functools import partial
from typing import Final

from services.ingest.handlers.ports import Producer
from shared.stream.records import KafkaUnavailable, Outgoing

MOST_WAITING: Final = 20_000
_FLIGHTS: Final = 4

Ticket = asyncio.Future[None]


class Outbox:
    """Gathers records of one topic and sends them in few, larger batches.

    While `_FLIGHTS` batches are unacknowledged the rest waits and grows into the next one. When
    Kafka does not acknowledge a batch, those that wait behind it fail at once, so that nobody
    waits for more than one bound of the producer. A batch goes into one partition: the order of
    answers does not matter, and many small batches cost producer, broker and reader. Cancelling
    a caller cancels nobody else.
    """

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._loop: asyncio.AbstractEventLoop | None = None  # asking which costs a system call
        self._waiting: list[tuple[Outgoing, Ticket]] = []
        self._turn: asyncio.Handle | None = None
        self._flights: set[asyncio.Task[None]] = set()

    def put(self, record: Outgoing) -> Ticket:
        """Take one record; the ticket resolves once every in-sync replica has it.

        The ticket raises KafkaUnavailable; so does this call when too many wait.
        """
        if len(self._waiting) >= MOST_WAITING:
            raise KafkaUnavailable(f"{MOST_WAITING} records wait already")
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        ticket: Ticket = self._loop.create_future()
        self._waiting.append((record, ticket))
        if self._turn is None and len(self._flights) < _FLIGHTS:
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
        if not self._waiting or len(self._flights) >= _FLIGHTS:
            return
        aboard, self._waiting = self._waiting, []
        records = [record for record, _ in aboard]
        flight = asyncio.get_running_loop().create_task(self._producer.send(records, together=True))
        self._flights.add(flight)
        flight.add_done_callback(partial(self._land, aboard))

    def _land(self, aboard: list[tuple[Outgoing, Ticket]], flight: asyncio.Task[None]) -> None:
        self._flights.discard(flight)
        error = KafkaUnavailable("stopped") if flight.cancelled() else flight.exception()
        if isinstance(error, KafkaUnavailable):
            aboard += self._waiting
            self._waiting = []
        _resolve(aboard, error)
        self._depart()


def _resolve(aboard: list[tuple[Outgoing, Ticket]], error: BaseException | None) -> None:
    for _, ticket in aboard:
        if ticket.done():
            continue
        if error is None:
            ticket.set_result(None)
        else:
            ticket.set_exception(error)
