"""The judge: one process at a time brings the fleet forward, minute by minute.

    elect     a session lock of PostgreSQL; it is lost with its connection, and so is the fleet
    look      how far Kafka goes, how far it was counted, hence which minutes are complete
    close     let no more answers into those minutes
    judge     many minutes a transaction: states, alerts, messages and the position together
    look on   judge what is still open; remember only the alarms

The lock, the position and every write share one connection, so a judge that lost its lock cannot
write. A position that is not where this judge left it makes it read everything again.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import uuid4

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.alerts.domain.answers import begin_of, minute_of
from services.alerts.domain.cases import Docket
from services.alerts.domain.terms import Policy
from services.alerts.handlers.bench import Bench
from services.alerts.handlers.judging import judge_minute, look_ahead, settle_by_hand
from services.alerts.metrics import ELECTED, JUDGED, TURN_SECONDS
from services.alerts.store.alerts import Ways, read_docket, was_closed_by_hand, write_docket
from services.alerts.store.fleet import Fleet, read_fleet, write_fleet
from services.alerts.store.past import SqlPast
from services.alerts.store.position import (
    OpenTicks,
    Position,
    close_minutes,
    elect,
    move,
    note_heard,
    read_chunk,
    read_open,
    read_position,
)
from services.alerts.worker.lookout import Lookout
from services.alerts.worker.observing import observe_docket, observe_fleet, observe_time
from services.alerts.worker.turns import Clock, take_turns
from shared.segments import Lattice
from shared.stream.pipeline import Health

_log = structlog.get_logger()
_BREATH: Final = 10  # minutes judged before others on this loop may run
_OPEN_SPAN: Final = 3  # minutes that may be judged as one while they are open


@dataclass(frozen=True)
class Terms:
    """What the judge judges by, and who is told."""

    policy: Policy
    lattice: Lattice
    ways: Ways
    clock: Clock


class Judge:
    """Judges while it is elected; any fault makes it give up its place and begin anew."""

    def __init__(self, engine: AsyncEngine, lookout: Lookout, terms: Terms) -> None:
        self._engine = engine
        self._lookout = lookout
        self._terms = terms
        self._connection: AsyncConnection | None = None
        self._fleet: Fleet | None = None
        self._judged_to = 0  # where the fleet in memory stands
        self._seen_open: OpenTicks | None = None
        self.health = Health()

    @property
    def elected(self) -> bool:
        return self._connection is not None

    @property
    def full_dimensions(self) -> list[str]:
        """Dimensions whose further values are watched together."""
        return self._fleet.catalogue.full_dimensions() if self._fleet else []

    async def run(self, stop: asyncio.Event, *, every_s: float = 0.5) -> None:
        """Judge until stopped; the chunk under way is finished first."""
        try:
            await take_turns("judge", self.turn, stop, health=self.health, every_s=every_s)
        finally:
            await self.abdicate()

    async def turn(self) -> bool:
        """Take one turn; say whether more can be judged at once."""
        try:
            connection = self._connection or await self._elect()
            if connection is None:
                return False
            with TURN_SECONDS.time():
                return await self._judge(connection)
        except BaseException:
            await self.abdicate()
            raise

    async def abdicate(self) -> None:
        """Let go of the lock, with the connection that holds it, and of the fleet."""
        connection, self._connection, self._fleet = self._connection, None, None
        self._seen_open = None
        self._lookout.forget()
        ELECTED.set(0)
        if connection is not None:
            await connection.invalidate()
            await connection.close()

    # ------------------------------------------------------------------ one turn
    async def _elect(self) -> AsyncConnection | None:
        self._connection = await elect(self._engine)
        if self._connection is not None:
            ELECTED.set(1)
            _log.info("elected to judge")
        return self._connection

    async def _judge(self, connection: AsyncConnection) -> bool:
        mark, counted = await self._lookout.look(connection)
        async with connection.begin():
            position = await read_position(connection)
            by_hand = await was_closed_by_hand(connection)
            fleet = await self._loaded(connection, position)
        target = position.closed_to if mark is None else minute_of(mark) - 1
        if target > position.closed_to:
            await close_minutes(connection, target)
            position = replace(position, closed_to=target)
        more = False
        if position.closed_to > position.judged_to or by_hand:
            more = await self._judge_closed(connection, fleet, position)
        heard = counted.last
        if heard and mark and not more and minute_of(heard) - minute_of(mark) < _OPEN_SPAN:
            await self._judge_open(connection, fleet, position.closed_to, heard)
        return more

    async def _loaded(self, connection: AsyncConnection, position: Position) -> Fleet:
        if self._fleet is None or self._judged_to != position.judged_to:
            terms = self._terms
            self._fleet = await read_fleet(connection, terms.policy, terms.lattice)
            self._judged_to = position.judged_to
            _log.info("fleet read", streams=len(self._fleet.state))
        return self._fleet

    async def _judge_closed(
        self, connection: AsyncConnection, fleet: Fleet, position: Position
    ) -> bool:
        """Judge a chunk of closed minutes; say whether there are more."""
        async with connection.begin():
            docket = await read_docket(connection)
            bench = self._bench(connection, fleet, docket)
            settle_by_hand(bench)
            upto, minutes = await read_chunk(connection, position)
            for number, (minute, ticks) in enumerate(minutes.items()):
                await judge_minute(bench, minute, ticks)
                if number % _BREATH == 0:
                    await asyncio.sleep(0)
            await write_fleet(connection, fleet, bench.touched)
            await write_docket(connection, docket, self._terms.ways)
            judged_at = begin_of(upto + 1) if minutes else None
            await move(connection, position.judged_to, upto, judged_at)
        self._judged_to = upto
        JUDGED.inc(len(minutes))
        observe_docket(docket)
        observe_fleet(fleet)
        observe_time(judged_at)
        return upto < position.closed_to

    async def _judge_open(
        self, connection: AsyncConnection, fleet: Fleet, closed_to: int, heard: datetime
    ) -> None:
        """Look for alarms in minutes that may still grow."""
        async with connection.begin():
            found = await read_open(connection, closed_to, _OPEN_SPAN)
            if found is None or found == self._seen_open:
                return
            docket = await read_docket(connection)
            if docket.ended_by_hand:  # the fleet is told first, at the next turn
                return
            bench = self._bench(connection, fleet, docket)
            await look_ahead(bench, (found.first, found.last), found.ticks, heard)
            await write_docket(connection, docket, self._terms.ways)
            await note_heard(connection, heard)
        self._seen_open = found
        observe_docket(docket)
        observe_time(heard)

    def _bench(self, connection: AsyncConnection, fleet: Fleet, docket: Docket) -> Bench:
        return Bench(
            detector=fleet.detector,
            fleet=fleet.state,
            catalogue=fleet.catalogue,
            docket=docket,
            past=SqlPast(connection),
            now=self._terms.clock(),
            draw_id=lambda: f"a-{uuid4().hex[:26]}",
        )
