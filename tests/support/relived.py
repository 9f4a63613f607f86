"""Real events decided on as they happened: the clock follows them, on real PostgreSQL."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.commands.history import read_events
from services.trigger.domain.occasions import read_occasion
from services.trigger.handlers import Arrival, Desk, on_batch, on_due
from services.trigger.store.dispatch import DispatchStore
from services.trigger.store.ledger import SqlLedger
from services.trigger.worker.dispatch import Dispatch
from shared.cloudevents import read_event
from shared.events import Event, SurveyDecision
from shared.programme.loading import load_programme
from shared.programme.models import Programme
from tests.support.folders import copy_shipped
from tests.support.trigger import CHANNELS, Recorder

_MOST = 500

PROGRAMME = """\
brand: Example Shop
languages: [en, de, ko, th]
timezone: {zone}
quiet_hours: 21:00-08:00
caps:
  - {{most: 2, per: 7d}}
  - {{most: 1, per: 30d, each: [customer, survey]}}
  - {{most: {most}, per: 1d, each: [{group}]}}
"""
CALLS = """\
after-call:
  on: support_call.ended
  when: event.call.talk_s >= 60
  survey: post-call
  sample: 0.8
  delay: 1h
  max_age: 6h
after-hanging-up:
  on: support_call.abandoned
  survey: effort
  sample: 0.5
  settle: 30m
  max_age: 6h
"""
ORDERS = """\
after-delivery:
  on: transaction.delivered
  when: event.transaction.amount >= 30.0
  survey: post-delivery
  sample: 0.6
  delay: 1d
  max_age: 2d
still-waiting:                      # asked only where the order has not come in 14 days
  on: transaction.approved
  survey: effort
  sample: 0.5
  settle: 30m
  delay: 14d
  cancel_on: [transaction.delivered]
  max_age: 2d
"""


def realistic(below: Path, triggers: str, dimensions: Sequence[str], **said: str) -> Programme:
    """A programme as a shop or a contact centre might write it; `said`: zone, group, most."""
    folder = copy_shipped(below)
    (folder / "programme.yaml").write_text(PROGRAMME.format(**said))
    (folder / "triggers.yaml").write_text(triggers)
    lines = ["dimensions:", *(f"  {name}: {{}}" for name in dimensions), "pairs: []", ""]
    (folder / "segments.yaml").write_text("\n".join(lines))
    return load_programme(folder)


def events_of(file: Path, dimensions: Sequence[str]) -> list[Event]:
    """The events of a file in the order of time, as the public interface would take them."""
    kind = "application/cloudevents+json"
    bodies = (msgspec.json.encode(body) for _, body in read_events(file, dimensions).bodies)
    return [read_event(kind, {}, body) for body in bodies]


class Life:
    """Batches as they would have come, what is due between them, and letters that leave."""

    def __init__(self, engine: AsyncEngine, programme: Programme) -> None:
        self._engine = engine
        self._programme = programme
        self.now = datetime(2000, 1, 1, tzinfo=UTC)
        self.courier = Recorder()
        store = DispatchStore(engine, repeatable={"webhook"})
        couriers = {"webhook": self.courier}
        self._dispatch = Dispatch(store, couriers, lambda: self.now, programme)

    async def live(self, events: Sequence[Event], step: timedelta) -> None:
        """Take the events step by step, and go on until nothing waits and all letters have left."""
        for group in _steps(events, step):
            await self._wait(step, group[0].time)
            self.now = group[-1].time
            await self._take(group)
        await self._wait(step, datetime.max.replace(tzinfo=UTC))

    async def _wait(self, step: timedelta, until: datetime) -> None:
        while (soonest := await self._soonest()) is not None:
            moment = max(self.now + step, soonest)
            if moment >= until:
                return
            self.now = moment
            await self._take([])

    async def _take(self, events: Sequence[Event]) -> None:
        async def publish(decisions: Sequence[SurveyDecision]) -> None: ...

        desk = Desk(self._programme, CHANNELS, self.now)
        paths = self._programme.segments.paths
        arrivals = [Arrival(read_occasion(event, paths)) for event in events]
        if arrivals:
            async with self._engine.begin() as connection:
                await on_batch(arrivals, [], SqlLedger(connection), publish, desk)
        taken = _MOST
        while taken >= _MOST:
            async with self._engine.begin() as connection:
                taken = await on_due(_MOST, SqlLedger(connection), publish, desk)
        while await self._dispatch.once():
            pass

    async def _soonest(self) -> datetime | None:
        query = sa.text(
            "SELECT least((SELECT min(due_at) FROM waiting),"
            " (SELECT min(send_at) FROM invitations WHERE status = 'scheduled'))"
        )
        async with self._engine.connect() as connection:
            found: datetime | None = (await connection.execute(query)).scalar_one()
            return found


def _steps(events: Sequence[Event], step: timedelta) -> Iterator[list[Event]]:
    seconds = step.total_seconds()
    for _, group in groupby(events, key=lambda event: event.time.timestamp() // seconds):
        yield list(group)
