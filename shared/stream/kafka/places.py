"""Where each assigned partition stands: as the database says, never as Kafka says.

A partition is parked when it is assigned (position 0, paused: nothing is fetched and Kafka is not
asked for a committed offset), and runs once its `next` has been read. An offset that the broker no
longer has is stepped over in the database, counted and logged; never silently.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import suppress
from typing import Any, Final

import structlog
from aiokafka.errors import IllegalStateError, KafkaError

from shared.stream.kafka.identity import topic_ids
from shared.stream.kafka.names import Names
from shared.stream.metrics import StreamMetrics
from shared.stream.offsets import Move, Offsets
from shared.stream.records import KafkaUnavailable, Partition

_log = structlog.get_logger()
_BOUND_S: Final = 5.0

Identify = Callable[[Any, Collection[str]], Awaitable[dict[str, str]]]


async def edges(ask: Any, homes: Collection[Partition], names: Names) -> dict[Partition, int]:
    """Ask for beginnings or ends; raise KafkaUnavailable where the answer does not come."""
    try:
        async with asyncio.timeout(_BOUND_S):
            found = await ask([names.tp(home) for home in homes])
    except (KafkaError, TimeoutError, OSError) as error:
        raise KafkaUnavailable(f"offsets: {type(error).__name__}: {error}") from error
    return {names.home(tp): offset for tp, offset in found.items()}


class Places:
    """The partitions of one consumer: parked, placed, held, gone."""

    def __init__(
        self,
        offsets: Offsets,
        metrics: StreamMetrics,
        names: Names,
        identify: Identify = topic_ids,
    ) -> None:
        self.offsets = offsets
        self._identify = identify
        self._metrics = metrics
        self._names = names
        self._turn = 0  # counts rebalances: what was read before one is not used after it
        self.gone: set[Partition] = set()
        self._ends: dict[Partition, int] = {}
        self.parked: set[Partition] = set()
        self.held: set[str] = set()
        self.next_of: dict[Partition, int] = {}
        self.assigned = False

    # ------------------------------------------------------------------ rebalance: notes only
    def forget(self) -> None:
        """All partitions are somebody else's, or nobody's."""
        self._turn += 1
        self.assigned = False
        self.gone.clear()
        self.parked.clear()
        self.next_of.clear()
        self._ends.clear()

    def take(self, client: Any, homes: Iterable[Partition]) -> None:
        """These are ours now."""
        self.forget()
        self.assigned = True
        for home in homes:
            self._park(client, home)

    def _park(self, client: Any, home: Partition) -> None:
        self.parked.add(home)
        with suppress(IllegalStateError):  # taken from us; `take` follows
            client.seek(self._names.tp(home), 0)
            client.pause(self._names.tp(home))

    # ------------------------------------------------------------------ moving
    def replace(self, client: Any, home: Partition) -> None:
        """Forget where it stands: it is read from the database again."""
        if self.next_of.pop(home, None) is not None:
            self._park(client, home)

    def rewind(self, client: Any, home: Partition) -> None:
        """Fetch again from the stored `next`."""
        if home in self.next_of:
            with suppress(IllegalStateError):
                client.seek(self._names.tp(home), self.next_of[home])

    def note_gone(self, homes: Iterable[Partition]) -> None:
        """The broker does not have what was asked for."""
        self.gone |= set(homes)

    async def settle(self, client: Any, *, ahead: bool = False) -> None:
        """Read where parked partitions stand and let them run; step over what is gone.

        Not `ahead` of what is not settled: it stands before what is gone.
        """
        if self.parked:
            await self._place(client)
        if self.gone and not ahead:
            await self._step_over(client)

    async def _place(self, client: Any) -> None:
        turn, homes = self._turn, set(self.parked)
        stored = await self.offsets.read(homes)
        unknown = homes - stored.keys()
        if unknown:
            firsts = await edges(client.beginning_offsets, unknown, self._names)
            stored |= await self.offsets.start(firsts)
        stored |= await self._restarted(client, homes)
        ends = await edges(client.end_offsets, homes, self._names)
        if turn != self._turn:
            return
        self.next_of |= stored
        self._ends |= ends
        self.parked -= stored.keys()
        for home in stored:
            self.rewind(client, home)
        self.let_run(client)

    async def _restarted(self, client: Any, homes: set[Partition]) -> dict[Partition, int]:
        """Where those begin whose topic was deleted and made again since their place was stored.

        By offsets alone it is not seen once the new log has grown beyond the old place.
        """
        named = {home: self._names.topic(home.topic) for home in homes}
        found = await self._identify(client, set(named.values()))
        ids = {home: found[name] for home, name in named.items() if name in found}
        strangers = await self.offsets.strangers(ids) if ids else set()
        if not strangers:
            return {}
        firsts = await edges(client.beginning_offsets, strangers, self._names)
        for home in await self.offsets.restart(ids, firsts):
            self._tell_anew(home, first=firsts[home])
        return await self.offsets.read(strangers)

    async def _step_over(self, client: Any) -> None:
        turn, homes = self._turn, self.gone & self.next_of.keys()
        begins = await edges(client.beginning_offsets, homes, self._names)
        ends = await edges(client.end_offsets, homes, self._names)
        for home in homes if turn == self._turn else ():
            wanted, first = self.next_of[home], begins[home]
            if not first <= wanted <= ends[home]:
                moved = await self.offsets.jump(Move(home, wanted, first))
                if turn != self._turn:
                    return
                if not moved:
                    self.replace(client, home)
                    continue
                if wanted < first:
                    self._tell_gap(home, wanted, first)
                else:
                    self._tell_anew(home, wanted=wanted, first=first, end=ends[home])
                self.next_of[home] = first
            self.rewind(client, home)
        self.gone.clear()

    def _tell_gap(self, home: Partition, wanted: int, first: int) -> None:
        lost = first - wanted
        self._metrics.gaps.labels(home.topic).inc(lost)
        _log.error(
            "records lost: the broker no longer has them",
            topic=home.topic, partition=home.number, wanted=wanted, first=first, lost=lost,
        )  # fmt: skip

    def _tell_anew(self, home: Partition, **offsets: int) -> None:
        self._metrics.rewinds.labels(home.topic).inc()
        _log.error(
            "the topic was made anew or cut short: read from its beginning",
            topic=home.topic, partition=home.number, **offsets,
        )  # fmt: skip

    # ------------------------------------------------------------------ how far behind
    def note_end(self, home: Partition, end: int) -> None:
        if home in self.next_of:
            self._ends[home] = end

    def lag(self, client: Any) -> dict[Partition, int]:
        """Records beyond `next`, by the end that was asked for or fetched last."""
        assigned = client.assignment() if self.next_of else ()
        found = {}
        for home, stored in self.next_of.items():
            tp = self._names.tp(home)
            fetched = client.highwater(tp) if tp in assigned else None
            found[home] = max(0, max(fetched or 0, self._ends[home]) - stored)
        return found

    # ------------------------------------------------------------------ pausing
    def let_run(self, client: Any) -> None:
        """Resume what is placed and not held; pause the rest."""
        for tp in client.assignment() if client is not None else ():
            home = self._names.home(tp)
            runs = home in self.next_of and home.topic not in self.held
            (client.resume if runs else client.pause)(tp)

    def stop_all(self, client: Any) -> None:
        client.pause(*client.assignment())
