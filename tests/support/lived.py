"""A town that lives for some days on real PostgreSQL, by a clock in the test's hand.

Events come in batches, questions wait, letters leave and fail, customers opt out and come back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.domain.backtest import Effect, Outcome
from services.trigger.domain.occasions import read_occasion
from services.trigger.domain.suppressions import Ground, Suppression
from services.trigger.handlers import Arrival, Desk, on_batch, on_due
from services.trigger.handlers.backtesting import decide_again
from services.trigger.store.history import History
from services.trigger.store.ledger import SqlLedger
from services.trigger.store.suppressions import SuppressionStore
from shared.events import Event, SurveyDecision
from shared.programme.asking import Cap
from shared.programme.models import Programme
from shared.programme.triggers import Trigger
from tests.support.trigger import CHANNELS, programme

BEGIN = datetime(2026, 10, 22, 6, 0, tzinfo=UTC)  # three days before the clocks go back
Decided = dict[tuple[str, str], str]
_DAY = 86_400.0
_LISTENED = ("support_call.ended", "transaction.delivered", "transaction.refunded")
_KINDS = (*_LISTENED, "support_call.reopened", "transaction.cancelled", "support_call.began")

TRIGGERS: Mapping[str, Mapping[str, Any]] = {
    "after-call": {
        "on": "support_call.ended",
        "when": "event.call.talk_s >= 30",
        "survey": "post-call",
        "settle": "20m",
        "max_age": "12h",
        "sample": 0.8,
    },
    "of-effort": {
        "on": "support_call.ended",
        "survey": "effort",
        "delay": "0s",
        "sample": 0.7,
        "channels": ["webhook", "email"],
    },
    "after-delivery": {
        "on": "transaction.delivered",
        "survey": "post-delivery",
        "delay": "3h",
        "max_age": "2d",
        "channels": ["email"],
        "experiment": {
            "name": "sooner",
            "variants": {"usual": {}, "soon": {"delay": "1h", "channels": ["webhook"]}},
        },
    },
    "after-refund": {
        "on": "transaction.refunded",
        "survey": "effort",
        "delay": "30m",
        "settle": "10m",
        "sample": 0.9,
        "channels": ["email", "webhook"],
        "cancel_on": ["transaction.cancelled"],
    },
}
CAPS = (
    Cap(most=3, per=timedelta(days=2)),
    Cap(most=1, per=timedelta(hours=20), each=("customer", "survey"), channels=("email",)),
    Cap(most=7, per=timedelta(days=1), each=("agent",)),
)


def town(
    digest: str = "sha256:today",
    caps: Sequence[Cap] = CAPS,
    without: Sequence[str] = (),
    **changes: Mapping[str, Any],
) -> Programme:
    """The town's programme; keyword arguments change its triggers."""
    written = {
        name: {**TRIGGERS.get(name, {}), **changes.get(name.replace("-", "_"), {})}
        for name in (*TRIGGERS, *(n.replace("_", "-") for n in changes))
        if name not in without
    }
    triggers = {name: Trigger(key=name, **fields) for name, fields in written.items()}
    return programme(
        triggers=triggers, caps=tuple(caps), consent_required=("email",), digest=digest
    )


def events_of(seed: int, number: int, days: float) -> list[tuple[float, Event]]:
    """Events by when they come, in seconds; their own times are off by hours in both ways."""
    random = Random(seed)
    found = []
    for place in range(number):
        comes = days * _DAY * (place + random.random()) / number  # never when something is due
        late = random.choice([0, 0, 0, 60, 1800, 8 * 3600, -900])
        time = BEGIN + timedelta(seconds=comes - late * random.random())
        found.append((comes, _event(random, place, time)))
    return found


def _event(random: Random, number: int, time: datetime) -> Event:
    customer: dict[str, Any] | None = {
        "id": f"c-{random.randrange(60)}",
        "email": "ann@example.org",
        "timezone": random.choice([None, "America/New_York", "Asia/Tokyo"]),
        "country": random.choice([None, "US"]),
        "consent": random.choice([None, {"email": True}, {"email": True}, {"email": False}]),
    }
    match random.randrange(12):
        case 0:
            customer = None
        case 1:
            customer = {"email": f"guest-{random.randrange(4)}@example.org"}
        case 2:
            customer = {"phone": f"+4930{random.randrange(10**5, 10**5 + 3)}"}
    subject_id = f"s-{number // 6 + random.randrange(3)}"
    call = {"talk_s": random.choice([5, 60, 90.5, 90, None]), "agent": f"a-{random.randrange(4)}"}
    data = {
        "customer": customer,
        "call": {"id": subject_id, **call},
        "segments": {"region": random.choice(["EU", "US"])},
    }
    kind = random.choices(_KINDS, [8, 6, 4, 3, 3, 2])[0]
    return Event(id=f"e-{number}", source="/shop", type=kind, time=time, data=data)


@dataclass
class Life:
    """One database lives on. `lag`: how late things are done, at random; never without it."""

    engine: AsyncEngine
    programme: Programme
    random: Random
    lag: bool
    now: datetime = BEGIN
    told: list[SurveyDecision] = field(default_factory=list)

    async def live(self, events: Sequence[tuple[float, Event]], until: float) -> None:
        """Let events come in small batches, and everything happen that is due."""
        place = 0
        while place < len(events):
            size = 1 + place % 4
            batch = events[place : place + size]
            place += size
            await self.until(BEGIN + timedelta(seconds=batch[-1][0]))
            await self._batch([event for _, event in batch])
            if place % 7 == 0:
                await self._suppress(f"c-{place // 7}", lift=place % 2 == 0)
        await self.until(BEGIN + timedelta(seconds=until))

    async def until(self, moment: datetime) -> None:
        """Decide what is due on the way: at its moment, or late."""
        while (due := await self._next(moment)) is not None:
            late = timedelta(seconds=self.random.randrange(1, 900)) if self.lag else timedelta(0)
            self.now = max(min(due + late, moment), self.now + timedelta(microseconds=1))
            await self._dispatch()
            async with self.engine.begin() as connection:
                await on_due(500, SqlLedger(connection), self._publish, self._desk)
        self.now = max(moment, self.now + timedelta(microseconds=1))
        await self._dispatch()

    @property
    def _desk(self) -> Desk:
        return Desk(self.programme, CHANNELS, self.now)

    async def _publish(self, decisions: Sequence[SurveyDecision]) -> None:
        self.told += decisions

    async def _next(self, moment: datetime) -> datetime | None:
        query = sa.text("SELECT min(due_at) FROM waiting WHERE due_at <= :moment")
        async with self.engine.connect() as connection:
            found: datetime | None = await connection.scalar(query, {"moment": moment})
            return found

    async def _batch(self, events: Sequence[Event]) -> None:
        paths = self.programme.segments.paths
        arrivals = [Arrival(read_occasion(event, paths)) for event in events]
        async with self.engine.begin() as connection:
            await on_batch(arrivals, [], SqlLedger(connection), self._publish, self._desk)

    async def _suppress(self, customer_id: str, *, lift: bool) -> None:
        store = SuppressionStore(self.engine)
        if lift and self.lag:
            await store.lift(customer_id, self.now)
        else:
            await store.add(Suppression(customer_id, ("email",), Ground.OPTED_OUT, self.now))

    async def _dispatch(self) -> None:
        """Letters leave when they shall; where there is lag, later, by another channel or never."""
        async with self.engine.begin() as connection:
            await connection.execute(_FAILS if self.lag else _SENT, {"now": self.now})


_SENT = sa.text(
    "UPDATE invitations SET status = 'sent', invited_at = send_at, claimed_at = send_at"
    " WHERE status = 'scheduled' AND send_at <= :now"
)
_FAILS = sa.text("""
    UPDATE invitations i SET claimed_at = :now, attempts = attempts + 1,
        status = CASE n % 5 WHEN 0 THEN 'undeliverable' WHEN 1 THEN 'scheduled' ELSE 'sent' END,
        invited_at = CASE WHEN n % 5 > 1 THEN CAST(:now AS timestamptz) END,
        send_at = CASE n % 5 WHEN 1 THEN :now + interval '1 h' ELSE send_at END,
        channels = CASE n % 7 WHEN 0 THEN channels[cardinality(channels):] ELSE channels END
    FROM (SELECT id AS of, abs(hashtext(id || attempts)) AS n FROM invitations) d
    WHERE i.id = d.of AND i.status = 'scheduled' AND i.send_at <= :now
""")


async def decided(engine: AsyncEngine) -> Decided:
    """What the ledger has, by event and trigger: the decision's own reason, or taken back."""
    query = sa.text("SELECT event_id, trigger, decided, reason FROM decisions")
    async with engine.connect() as connection:
        return {
            (row.event_id, row.trigger): row.reason
            if row.reason == "cancelled-by-event"
            else row.decided
            for row in await connection.execute(query)
        }


class Listed(Effect):
    """An effect that also lists what came of each event and trigger."""

    def __init__(self, programme: Programme, since: datetime) -> None:
        super().__init__(programme, since)
        self.again: Decided = {}

    def add(self, outcomes: Any) -> None:
        super().add(self._listed(outcomes))

    def _listed(self, outcomes: Any) -> Any:
        for outcome in outcomes:
            self._list(outcome)
            yield outcome

    def _list(self, outcome: Outcome) -> None:
        if outcome.reason is not None:
            self.again[outcome.entry.event.id, outcome.trigger] = outcome.reason


async def again(life: "Life", changed: Programme | None = None, since: datetime = BEGIN) -> Listed:
    """The backtest of a programme, else of the same, over what was lived."""
    now, programme = life.now + timedelta(seconds=1), changed or life.programme
    effect = Listed(programme, since)
    async with life.engine.connect() as connection:
        await decide_again(History(connection), (life.programme, programme), CHANNELS, effect, now)
    return effect
