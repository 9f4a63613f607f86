"""Days of trigger on real PostgreSQL, its clock in the test's hand: what was heard and sent."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.domain.letters import Letter
from services.trigger.domain.occasions import read_occasion
from services.trigger.domain.suppressions import Ground, Suppression
from services.trigger.handlers import Arrival, Desk, on_batch, on_due
from services.trigger.store.dispatch import DispatchStore
from services.trigger.store.ledger import SqlLedger
from services.trigger.store.suppressions import SuppressionStore
from services.trigger.worker.dispatch import Dispatch
from shared.events import Event, SurveyDecision, SurveyOptout
from shared.senders import HandOver, SendFailed, SendInDoubt
from tests.support.trigger import CHANNELS
from tests.support.trigger_rig import Clock
from tests.support.trigger_witness import Closed, Entry, Heard, Sent
from tests.support.trigger_world import World, world_programme

HOUR = timedelta(hours=1)
_OFTEN_AWAY = 0.02


class Carrier:
    """A courier that notes what may have arrived, and often fails."""

    capacity = 64

    def __init__(self, days: "Days", *, repeatable: bool) -> None:
        self.repeatable = repeatable
        self._days = days

    async def send(self, letter: Letter, hand_over: HandOver) -> None:
        if not self.repeatable:
            await hand_over()
        chance = self._days.world.random.random()
        if chance < 0.06:
            raise SendFailed("refused", permanent=chance < 0.02)
        self._days.note(letter)
        if chance > 0.99 and not self.repeatable:
            raise SendInDoubt("gone")


class Days:
    """Batches, what is due, opt-outs and letters; each of them is away for hours at times."""

    def __init__(self, engine: AsyncEngine, world: World) -> None:
        self.world = world
        self.log: list[Entry] = []
        self.reasons: Counter[str] = Counter()
        self.clock = Clock()
        self.heard = 0
        self._engine = engine
        self._programme = world_programme()
        couriers = {"email": Carrier(self, repeatable=False)}
        couriers["webhook"] = Carrier(self, repeatable=True)
        store = DispatchStore(engine, repeatable={"webhook"})
        self._dispatch = Dispatch(store, couriers, self.clock, self._programme)
        self._under_way: defaultdict[int, list[Event]] = defaultdict(list)
        self._away_until: dict[str, datetime] = {}
        self._sent: list[Letter] = []

    def note(self, letter: Letter) -> None:
        i = letter.invitation
        about = (i.survey, i.trigger, i.customer_id, i.subject_id, letter.channel)
        self.log.append(Sent(self.clock(), i.id, *about, i.segments.get("agent"), i.event.time))
        self._sent.append(letter)

    async def live(self, begin: datetime, end: datetime, step: timedelta, number: int) -> None:
        """So many events between two moments; looked at in steps, and until nothing is left."""
        steps = int((end - begin) / step)
        for n in range(steps):
            since = begin + n * step
            share = number * (n + 1) // steps - number * n // steps
            for at, event in self.world.happen(since, since + step, share):
                self._under_way[max(n, int((at - begin) / step))].append(event)
            self.clock.now = since + step
            await self._step(n)
        self._away_until = dict.fromkeys(self._away_until, begin)
        for n in range(steps, steps + 12):
            self.clock.now += 2 * HOUR
            await self._step(n + 24 * 60)

    async def _step(self, n: int) -> None:
        if self._is_here("consumer"):
            late = sorted(place for place in self._under_way if place <= n)
            events = [event for place in late for event in self._under_way.pop(place)]
            await self._hear(events)
        if self._is_here("worker"):
            async with self._engine.begin() as connection:
                await on_due(500, SqlLedger(connection), self._publish, self._desk())
        await self._close()
        if self._is_here("dispatch"):
            while await self._dispatch.once():
                pass

    def _is_here(self, part: str) -> bool:
        """Whether a part works now; at times it goes away for some hours."""
        until = self._away_until.get(part)
        if until is None and self.world.random.random() < _OFTEN_AWAY:
            self._away_until[part] = self.clock() + self.world.random.choice((1, 3, 6)) * HOUR
        elif until is not None and until <= self.clock():
            del self._away_until[part]
        return part not in self._away_until

    async def _hear(self, events: Sequence[Event]) -> None:
        draw = self.world.random
        repeated = [*events, *(event for event in events if draw.random() < 0.05)]
        draw.shuffle(repeated)
        arrivals = [Arrival(read_occasion(e, self._programme.segments.paths)) for e in repeated]
        letters = [draw.choice(self._sent)] if self._sent and draw.random() < 0.2 else []
        optouts = [SurveyOptout(invitation_id=one.id, at=self.clock()) for one in letters]
        async with self._engine.begin() as connection:
            await on_batch(arrivals, optouts, SqlLedger(connection), self._publish, self._desk())
        self.log += [_heard(arrival, self.clock()) for arrival in arrivals]
        self.log += [Closed(self.clock(), one.invitation.customer_id, ()) for one in letters]
        self.heard += len(events)

    async def _close(self) -> None:
        """An opt-out over the API: from when it is stored on nothing is sent."""
        draw = self.world.random
        if self._sent and draw.random() < 0.3:
            customer, channel = (
                draw.choice(self._sent).invitation.customer_id,
                draw.choice(["email", "webhook"]),
            )
            closing = Suppression(customer, (channel,), Ground.OPTED_OUT, self.clock())
            await SuppressionStore(self._engine).add(closing)
            self.log.append(Closed(self.clock(), customer, (channel,)))

    def _desk(self) -> Desk:
        return Desk(self._programme, CHANNELS, self.clock())

    async def _publish(self, decisions: Sequence[SurveyDecision]) -> None:
        self.reasons.update(decision.reason for decision in decisions)


def _heard(arrival: Arrival, now: datetime) -> Heard:
    event = arrival.occasion.event
    shown = event.data.get("customer") or {}
    consent = shown.get("consent") or {}
    whose = arrival.occasion.customer_id or ""
    return Heard(now, whose, arrival.occasion.subject_id, event.type, event.time, consent)
