"""Dispatch: invitations are claimed, sent and settled, as "Sending" in the architecture says."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol

import structlog

from services.trigger.domain.invitations import Outcome, Status, next_step
from services.trigger.domain.letters import Letter
from services.trigger.metrics import DISPATCH_SECONDS, ENDED, IN_FLIGHT, SEND_SECONDS, SENDS
from services.trigger.store.dispatch import Claimed, DispatchStore, Settlement
from services.trigger.worker.waiting import LOOK_AGAIN_S, WEATHER, Clock, first_of
from shared.failpoints import Point, hit
from shared.senders import SEND_WITHIN, HandOver, SendFailed, SendInDoubt

_log = structlog.get_logger()

_RETAKE_EVERY_S: Final = 5.0
_DRAIN_S: Final = 6.0


class Courier(Protocol):
    """Sends a letter by one channel; `repeatable` as `shared.senders.Sender` says."""

    @property
    def repeatable(self) -> bool: ...

    async def send(self, letter: Letter, hand_over: HandOver) -> None:
        """Raises SendFailed or SendInDoubt, and what `hand_over` raises."""
        ...


@dataclass
class Dispatch:
    """The worker that sends. `due` wakes it; it wakes `news` when a state is to be told.

    One try takes at most `within`, which is less than the store's lease.
    """

    store: DispatchStore
    couriers: Mapping[str, Courier]
    clock: Clock
    due: asyncio.Event = field(default_factory=asyncio.Event)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    concurrency: int = 64
    within: timedelta = SEND_WITHIN
    _flying: set[asyncio.Task[Settlement]] = field(default_factory=set, init=False)
    _retaken_at: float = field(default=0.0, init=False)
    _faults: dict[str, str] = field(default_factory=dict, init=False)

    @property
    def fault(self) -> str | None:
        """What the last send by each channel that does not work came to, or None."""
        return "; ".join(f"{name}: {why}" for name, why in sorted(self._faults.items())) or None

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
        began = time.monotonic()
        letters = await self._claim()
        if letters:
            hit(Point.CLAIMED)
        self.launch(letters, age_s=time.monotonic() - began)
        return len(letters)

    async def finish(self, within_s: float | None = None) -> None:
        """Wait for the sends under way and settle those that have ended."""
        if self._flying:
            await asyncio.wait(self._flying, timeout=within_s)
        await self.settle()

    async def settle(self) -> None:
        """Store what became of the sends that have ended; without success they stay with us."""
        done = {task for task in self._flying if task.done()}
        if not done:
            return
        settlements = [task.result() for task in done]
        hit(Point.SENT)
        for status in await self.store.settle(settlements):
            if status is not Status.SCHEDULED:
                ENDED.labels(status).inc()
        hit(Point.MARKED)
        self._flying -= done
        IN_FLIGHT.set(len(self._flying))
        self.news.set()

    async def _claim(self) -> Sequence[Letter]:
        free = self.concurrency - len(self._flying)
        if free <= 0:
            return ()
        if time.monotonic() - self._retaken_at >= _RETAKE_EVERY_S:
            claimed = await self.store.retake(free, self.clock())
            self._retaken_at = time.monotonic()
            if claimed.letters or claimed.ended:
                return self._note(claimed)
        return self._note(await self.store.claim(free, self.clock()))

    def _note(self, claimed: Claimed) -> Sequence[Letter]:
        for status in claimed.ended:
            ENDED.labels(status).inc()
            self.news.set()
        return claimed.letters

    def launch(self, letters: Sequence[Letter], *, age_s: float = 0.0) -> None:
        """Begin to send letters; `age_s` is how long ago they were claimed."""
        until = asyncio.get_running_loop().time() + self.within.total_seconds() - age_s
        self._flying |= {asyncio.create_task(self._try(letter, until)) for letter in letters}
        IN_FLIGHT.set(len(self._flying))

    async def _try(self, letter: Letter, until: float) -> Settlement:
        started = time.perf_counter()
        outcome, detail = await self._send(letter, until)
        if outcome is Outcome.DOUBT and letter.invitation.resend_on_doubt:
            outcome = Outcome.LATER
        now = self.clock()
        SENDS.labels(letter.channel, outcome).inc()
        SEND_SECONDS.labels(letter.channel).observe(time.perf_counter() - started)
        if outcome is Outcome.SENT:
            self._faults.pop(letter.channel, None)
            DISPATCH_SECONDS.observe((now - letter.invitation.send_at).total_seconds())
        else:
            if outcome is not Outcome.FAILED:  # about the channel, not about this customer
                self._faults[letter.channel] = detail or outcome
            shown = {"invitation": letter.id, "channel": letter.channel, "outcome": outcome}
            _log.warning("not sent", **shown, why=detail)
        return Settlement(letter, next_step(letter.tried, outcome, now), detail)

    async def _send(self, letter: Letter, until: float) -> tuple[Outcome, str | None]:
        courier = self.couriers.get(letter.channel)
        if courier is None:
            return Outcome.FAILED, f"this deployment has no sender for {letter.channel}"
        try:
            _refuse_after(until)
            async with asyncio.timeout_at(until):
                await courier.send(letter, self._handing_over(letter))
        except SendFailed as error:
            return (Outcome.FAILED if error.permanent else Outcome.LATER), error.detail
        except SendInDoubt as error:
            return Outcome.DOUBT, error.detail
        except TimeoutError:
            outcome = Outcome.LATER if courier.repeatable else Outcome.DOUBT
            return outcome, f"no answer within {self.within.total_seconds():g} s"
        except Exception:  # noqa: BLE001 - a fault of ours in one letter must not stop the others
            _log.exception("a letter could not be made", invitation=letter.id)
            return Outcome.LATER, "a fault of ours; it is in the log"
        return Outcome.SENT, None

    def _handing_over(self, letter: Letter) -> HandOver:
        """Say in the row that it may have gone out from now on, if it is ours still."""

        async def hand_over() -> None:
            try:
                ours = await self.store.hand_over(letter)
            except WEATHER as error:
                raise SendFailed("the database was away", permanent=False) from error
            if not ours:
                raise SendFailed("another worker has it by now", permanent=False)

        return hand_over


def _refuse_after(until: float) -> None:
    """A claim that has aged may be another worker's by now: nothing is sent on it."""
    if asyncio.get_running_loop().time() >= until:
        raise SendFailed("this process stood still after its claim", permanent=False)
