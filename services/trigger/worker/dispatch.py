"""Dispatch: invitations are claimed, sent and settled, as "Sending" in the architecture says."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, get_args

import structlog
from opentelemetry.trace import SpanKind

from services.trigger.domain.invitations import Status
from services.trigger.domain.letters import Letter
from services.trigger.metrics import ENDED, IN_FLIGHT
from services.trigger.store.dispatch import Claimed, DispatchStore, Settlement
from services.trigger.worker.tries import Courier, Tries
from services.trigger.worker.waiting import LOOK_AGAIN_S, WEATHER, Clock, first_of
from shared.failpoints import Point, hit
from shared.programme.models import Channel, Programme
from shared.senders import SEND_WITHIN
from shared.traces import UNTRACED, Traces, within

_log = structlog.get_logger()

_RETAKE_EVERY_S: Final = 5.0
_DRAIN_S: Final = 6.0


@dataclass
class Dispatch:
    """The worker that sends. `due` wakes it; it wakes `news` when a state is to be told.

    One try takes at most `within`, which is less than the store's lease. Letters are claimed by
    channel, no more than its courier carries: one that is slow or away delays no other. Reminders
    wait until `reminds` says that the answers are known.
    """

    store: DispatchStore
    couriers: Mapping[str, Courier]
    clock: Clock
    programme: Programme
    due: asyncio.Event = field(default_factory=asyncio.Event)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    concurrency: int = 64
    within: timedelta = SEND_WITHIN
    reminds: Callable[[], bool] = lambda: True
    traces: Traces = UNTRACED
    _tries: Tries = field(init=False)
    _channels: list[str] = field(init=False)
    _flying: dict[asyncio.Task[Settlement], str] = field(default_factory=dict, init=False)
    _retaken_at: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        tools = (self.store, self.couriers, self.clock, self.programme)
        self._tries = Tries(*tools, self.within)
        self._channels = sorted({*self.couriers, *get_args(Channel)})

    @property
    def fault(self) -> str | None:
        """What the last send by each channel that does not work came to, or None."""
        faults = sorted(self._tries.faults.items())
        return "; ".join(f"{name}: {why}" for name, why in faults) or None

    async def run(self, stop: asyncio.Event) -> None:
        """Send what is due until `stop` is set; sends under way are waited for and settled."""
        while not stop.is_set():
            self.due.clear()
            try:
                await self._begin()
                await first_of((self.due, stop), self._flying, LOOK_AGAIN_S)
                await self.settle()
            except WEATHER as error:
                _log.warning("dispatch waits for the database", error=type(error).__name__)
                await first_of((stop,), (), LOOK_AGAIN_S)
        try:
            await self.finish(_DRAIN_S)
        except WEATHER as error:
            _log.warning("stopped before all sends were settled", error=type(error).__name__)

    async def once(self) -> int:
        """Claim once, send what was claimed, settle it; how many letters there were."""
        number = await self._begin()
        await self.finish()
        return number

    async def _begin(self) -> int:
        number = 0
        seldom = time.monotonic() - self._retaken_at >= _RETAKE_EVERY_S
        if seldom:
            number += await self._retake()
            self._retaken_at = time.monotonic()
        for channel in self._channels:
            if seldom or channel in self.couriers:  # what nobody carries can wait for the next
                number += await self._claim(channel)
        self._channels.append(self._channels.pop(0))  # another is the first to be served
        return number

    async def _retake(self) -> int:
        free, began = self.concurrency - len(self._flying), time.monotonic()
        return self._take(await self.store.retake(free, self.clock()), began) if free > 0 else 0

    async def _claim(self, channel: str) -> int:
        free, began = self._free(channel), time.monotonic()
        if free <= 0:
            return 0
        now, reminds = self.clock(), self.reminds()
        return self._take(await self.store.claim(channel, free, now, reminders=reminds), began)

    def _free(self, channel: str) -> int:
        courier, flying = self.couriers.get(channel), Counter(self._flying.values())
        capacity = self.concurrency if courier is None else courier.capacity
        return min(self.concurrency - flying.total(), capacity - flying[channel])

    def _take(self, claimed: Claimed, began: float) -> int:
        for status in claimed.ended:
            ENDED.labels(status).inc()
            self.news.set()
        if claimed.letters:
            hit(Point.CLAIMED)
        self.launch(claimed.letters, age_s=time.monotonic() - began)
        return len(claimed.letters)

    async def finish(self, within_s: float | None = None) -> None:
        """Wait for the sends under way and settle those that have ended."""
        if self._flying:
            await asyncio.wait(self._flying, timeout=within_s)
        await self.settle()

    async def settle(self) -> None:
        """Store what became of the sends that have ended; without success they stay with us."""
        done = [task for task in self._flying if task.done()]
        if not done:
            return
        settlements = [task.result() for task in done]
        hit(Point.SENT)
        for status in await self.store.settle(settlements):
            if status is not Status.SCHEDULED:
                ENDED.labels(status).inc()
        hit(Point.MARKED)
        for task in done:
            del self._flying[task]
        IN_FLIGHT.set(len(self._flying))
        self.news.set()

    def launch(self, letters: Sequence[Letter], *, age_s: float = 0.0) -> None:
        """Begin to send letters; `age_s` is how long ago they were claimed."""
        until = asyncio.get_running_loop().time() + self.within.total_seconds() - age_s
        for letter in letters:
            self._flying[asyncio.create_task(self._make(letter, until))] = letter.channel
        IN_FLIGHT.set(len(self._flying))

    async def _make(self, letter: Letter, until: float) -> Settlement:
        """One try, seen in its trace; of what belongs to none nothing is kept."""
        if letter.traceparent is None:
            return await self._tries.make(letter, until)
        name = f"send {letter.channel}"
        span = self.traces.begin(name, letter.traceparent, kind=SpanKind.PRODUCER)
        if span is None:
            return await self._tries.make(letter, until)
        with within(span):
            span.set_attribute("earshot.invitation", letter.id)
            settlement = await self._tries.make(letter, until)
            span.set_attribute("earshot.status", str(settlement.step.status))
        return settlement
