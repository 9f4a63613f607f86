"""What trigger's workers stand on here, and who takes their letters."""

from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.deciding.events import strict_programme
from services.trigger.app.core import Core
from services.trigger.domain.letters import Letter
from services.trigger.pages.links import Links
from services.trigger.settings import TriggerSettings
from services.trigger.store.dispatch import DispatchStore
from services.trigger.worker.dispatch import Dispatch
from shared.clock import CommonClock
from shared.db import open_engine
from shared.senders import HandOver

KINDS: Final = ("instant", "waited")
_DELAYS: Final = {"usual": timedelta(seconds=2), "later": timedelta(seconds=3)}
_SOON_S: Final = 30.0  # reminders and quiet hours are no matter of a run
_EVENTS: Final = text("SELECT count(*) FROM events")
_WAITING: Final = text("""
    SELECT count(*) FROM invitations
    WHERE status IN ('scheduled', 'sending') AND send_at < now() + make_interval(secs => :soon)
""")
_OWED: Final = text("""
    SELECT count(*) FROM invitations
    WHERE event_time >= :since AND (trigger = 'after-call' OR variant IS NOT NULL)
        AND reminder_of IS NULL AND status NOT IN ('cancelled', 'expired')
        AND (status = 'sent' OR send_at < now() + make_interval(secs => :soon))
""")


@dataclass
class Courier:
    """Takes letters as a mail server does, and notes how late each is."""

    since: datetime
    late_s: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    repeatable = False
    capacity = 64

    async def send(self, letter: Letter, hand_over: HandOver) -> None:
        """Take it: as late as when it may have left, for that has to be known before."""
        await hand_over()
        invitation = letter.invitation
        if invitation.event.time < self.since:
            return
        late = (datetime.now(UTC) - invitation.event.time).total_seconds()
        if invitation.trigger == "after-call":
            self.late_s["instant"].append(late)
        elif invitation.variant is not None:
            self.late_s["waited"].append(late - _DELAYS[invitation.variant].total_seconds())


async def open_core(url: str, courier: Courier, stack: AsyncExitStack) -> Core:
    """What trigger's workers stand on: all as deployed but the programme and the courier."""
    settings = TriggerSettings(
        kafka_bootstrap="127.0.0.1:1",
        database_url=SecretStr(url),
        token_keys=SecretStr("0123456789abcdef" * 2),
    )
    opening = open_engine(url, schema="trigger")
    engine = await stack.enter_async_context(opening)
    clock, programme = CommonClock(engine), strict_programme()
    await clock.look()
    store = DispatchStore(engine, repeatable=set())
    dispatch = Dispatch(store, {"email": courier}, clock, programme)
    links = Links("http://localhost", settings.tokens)
    return Core(settings, programme, engine, dispatch, links, clock)


async def events_of(engine: AsyncEngine) -> int:
    """How many events have been decided on or wait."""
    async with engine.connect() as connection:
        return int((await connection.execute(_EVENTS)).scalar_one())


async def letters_waiting(engine: AsyncEngine) -> int:
    """How many letters are under way or due within half a minute."""
    async with engine.connect() as connection:
        return int((await connection.execute(_WAITING, {"soon": _SOON_S})).scalar_one())


async def letters_owed(engine: AsyncEngine, since: datetime) -> int:
    """How many letters the courier should have noted, of events since then."""
    asked = {"since": since, "soon": _SOON_S}
    async with engine.connect() as connection:
        return int((await connection.execute(_OWED, asked)).scalar_one())
