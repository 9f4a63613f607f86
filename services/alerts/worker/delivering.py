"""Telling people: each destination has a worker of its own, so a dead one delays nobody."""

import asyncio

import structlog

from services.alerts.domain.deliveries import Addressee, Disabled, Outcome
from services.alerts.metrics import DEAD_LETTERS, DELIVERIES, DELIVERY_SECONDS, DISABLED
from services.alerts.store.outbox import Outbox
from services.alerts.worker.couriers import Courier
from services.alerts.worker.turns import Clock, take_turns
from shared.failpoints import Point, hit
from shared.stream.pipeline import Health

_log = structlog.get_logger()


class Delivering:
    """Takes one destination's deliveries to it, tries again by itself, gives up by itself."""

    def __init__(self, to: Addressee, outbox: Outbox, courier: Courier, clock: Clock) -> None:
        self.to = to
        self.courier = courier
        self._outbox = outbox
        self._clock = clock
        self.health = Health()
        self.news = asyncio.Event()  # wakes it; others' are found when it looks
        self.fault: str | None = None
        self.disabled: Disabled | None = None
        self.dead = 0

    @property
    def name(self) -> str:
        return self.to.name

    def why_not_told(self) -> str | None:
        """Since when it is disabled, else what the last try failed by and what was given up."""
        if self.disabled is not None:
            since = self.disabled.at.isoformat(timespec="seconds")
            back = f"POST /v1/destinations/{self.name}/enable"
            return f"disabled since {since}: {self.disabled.detail}; {back} when it is mended"
        where = f"/v1/destinations/{self.name}/dead-letters"
        dead = f"{self.dead} given up: {where}" if self.dead else None
        return "; ".join(filter(None, (self.fault, dead))) or None

    async def run(self, stop: asyncio.Event, *, every_s: float = 0.5) -> None:
        """Deliver until stopped."""
        for outcome in Outcome:  # shown from the start, so that the first is an increase
            DELIVERIES.labels(self.name, outcome)
        name = f"delivering to {self.name}"
        await take_turns(name, self.turn, stop, health=self.health, every_s=every_s, wake=self.news)

    async def turn(self) -> bool:
        """Try what is due; say whether there may be more."""
        claimed = await self._outbox.claim(self.to, self.courier.most, self._clock())
        if not claimed:
            await self._look()
            return False
        hit(Point.CLAIMED)
        with DELIVERY_SECONDS.labels(self.name).time():
            settled = await self.courier.deliver(claimed)
        hit(Point.SENT)
        await self._outbox.settle(self.to, settled, self._clock())
        hit(Point.MARKED)
        for one, step in settled:
            outcome = Outcome.SENT if step.detail is None else step.outcome
            DELIVERIES.labels(self.name, outcome).inc()
            if outcome is Outcome.DEAD:
                _log.error(
                    "destination not told", destination=self.name, alert=one.alert.id,
                    revision=one.revision, detail=step.detail,
                )  # fmt: skip
        self._note(settled[-1][1].detail)
        if any(step.gone or step.outcome is Outcome.DEAD for _, step in settled):
            await self._look()
        return True  # a later change of the same alert may wait for this one

    async def _look(self) -> None:
        """Nothing is due, or the destination is disabled, by us or by another process."""
        before = self.disabled
        self.disabled, self.dead = await self._outbox.standing(self.to)
        DISABLED.labels(self.name).set(self.disabled is not None)
        DEAD_LETTERS.labels(self.name).set(self.dead)
        if self.disabled is not None and before is None:
            _log.error("destination disabled", destination=self.name, detail=self.disabled.detail)
        if self.disabled is None and before is not None:
            _log.info("destination enabled again", destination=self.name)
            self.fault = None

    def _note(self, detail: str | None) -> None:
        if detail is not None and self.fault is None:
            _log.warning("destination fails; trying again", destination=self.name, detail=detail)
        elif detail is None and self.fault is not None:
            _log.info("destination told again", destination=self.name)
        self.fault = detail
