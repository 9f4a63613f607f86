"""One try to send one letter, and what becomes of it."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

import structlog

from services.trigger.domain.hours import opens_for
from services.trigger.domain.invitations import Outcome, next_step
from services.trigger.domain.letters import Letter
from services.trigger.domain.reminders import remind_at
from services.trigger.metrics import DISPATCH_SECONDS, SEND_SECONDS, SENDS
from services.trigger.store.dispatch import DispatchStore, Settlement
from services.trigger.worker.handing import HandingOver
from services.trigger.worker.waiting import WEATHER, Clock
from shared.programme.models import Programme
from shared.senders import HandOver, SendFailed, SendInDoubt

_log = structlog.get_logger()


class Courier(Protocol):
    """Sends letters by one channel.

    `repeatable` as `shared.senders.Sender` says. `capacity`: how many letters it carries at the
    same time; more would only wait, claimed, and a crash would leave them in doubt.
    """

    @property
    def repeatable(self) -> bool: ...

    @property
    def capacity(self) -> int: ...

    async def send(self, letter: Letter, hand_over: HandOver) -> None:
        """Raises SendFailed or SendInDoubt, and what `hand_over` raises."""
        ...


class _QuietNow(SendFailed):
    """Nothing is sent in quiet hours; they may begin while a letter waits for its turn."""

    def __init__(self) -> None:
        super().__init__("it is a quiet hour where the customer is", permanent=False)


@dataclass
class Tries:
    """Sends by the courier of the letter's channel; `faults` by channel, for as long as it has one.

    One try takes at most `within`. None begins in quiet hours, and none hands over in them.
    """

    store: DispatchStore
    couriers: Mapping[str, Courier]
    clock: Clock
    programme: Programme
    within: timedelta
    faults: dict[str, str] = field(default_factory=dict, init=False)
    _handing: HandingOver = field(init=False)

    def __post_init__(self) -> None:
        self._handing = HandingOver(self.store)

    async def make(self, letter: Letter, until: float) -> Settlement:
        """Try to send a letter until then; what becomes of it."""
        started = time.perf_counter()
        outcome, detail = await self._send(letter, until)
        if outcome is Outcome.DOUBT and letter.invitation.resend_on_doubt:
            outcome = Outcome.LATER
        now = self.clock()
        opens = partial(opens_for, letter.invitation, self.programme)
        step = next_step(letter.tried, outcome, now, opens)
        if outcome is not Outcome.QUIET:
            self._note(letter, outcome, detail, now)
            SEND_SECONDS.labels(letter.channel).observe(time.perf_counter() - started)
        again = None
        if outcome is Outcome.SENT:
            again = remind_at(letter.invitation, self.programme, now)
        return Settlement(letter, step, detail, again)

    def _note(self, letter: Letter, outcome: Outcome, detail: str | None, now: datetime) -> None:
        SENDS.labels(letter.channel, outcome).inc()
        if outcome is Outcome.SENT:
            self.faults.pop(letter.channel, None)
            DISPATCH_SECONDS.observe((now - letter.invitation.send_at).total_seconds())
        else:
            if outcome is not Outcome.FAILED:  # about the channel, not about this customer
                self.faults[letter.channel] = detail or outcome
            shown = {"invitation": letter.id, "channel": letter.channel, "outcome": outcome}
            _log.warning("not sent", **shown, why=detail)

    def _refuse_in_quiet_hours(self, letter: Letter) -> None:
        now = self.clock()
        if opens_for(letter.invitation, self.programme, now) > now:
            raise _QuietNow

    async def _send(self, letter: Letter, until: float) -> tuple[Outcome, str | None]:
        courier = self.couriers.get(letter.channel)
        if courier is None:
            return Outcome.FAILED, f"this deployment has no sender for {letter.channel}"
        try:
            _refuse_after(until)
            self._refuse_in_quiet_hours(letter)
            async with asyncio.timeout_at(until):
                await courier.send(letter, self._handing_over(letter))
        except SendFailed as error:
            return _outcome_of(error), error.detail
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
            self._refuse_in_quiet_hours(letter)
            try:
                ours = await self._handing.note(letter)
            except WEATHER as error:
                raise SendFailed("the database was away", permanent=False) from error
            if not ours:
                raise SendFailed("another worker has it by now", permanent=False)

        return hand_over


def _outcome_of(error: SendFailed) -> Outcome:
    if isinstance(error, _QuietNow):
        return Outcome.QUIET
    return Outcome.FAILED if error.permanent else Outcome.LATER


def _refuse_after(until: float) -> None:
    """A claim that has aged may be another worker's by now: nothing is sent on it."""
    if asyncio.get_running_loop().time() >= until:
        raise SendFailed("this process stood still after its claim", permanent=False)
