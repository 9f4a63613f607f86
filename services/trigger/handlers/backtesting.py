"""A backtest: what the ledger kept of the last days, decided again by a programme."""

from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from services.trigger.domain.backtest import (
    Batch,
    Before,
    Effect,
    Known,
    Prepared,
    Replay,
    Row,
    rows_of,
)
from shared.programme.models import Programme


@dataclass(frozen=True, slots=True)
class Window:
    """The events that are counted came from `since` until before `now`.

    Deciding begins at `start`, early enough for subjects that were settling; of what was before
    it, askings are seen back to `asked_since`, and events that may cancel to `cancelled_since`.
    """

    since: datetime
    now: datetime
    start: datetime
    asked_since: datetime
    cancelled_since: datetime


@dataclass(frozen=True, slots=True)
class Ledgered:
    """Of the decisions since a moment: how many each programme made, and which is the newest.

    `lost`: those on events that were not kept, which cannot be made again.
    """

    by_programme: Mapping[str, int]
    newest: str | None
    lost: int


class Past(Protocol):
    """What the ledger has kept. All of it is read as it was at one moment."""

    async def ledgered(self, since: datetime) -> Ledgered:
        """What the ledger has since a moment."""
        ...

    async def before(self, window: Window, programme: Programme) -> Before:
        """Askings and cancelling events from before the window."""
        ...

    def pages(self, window: Window) -> AsyncIterator[Sequence[Batch]]:
        """The events of the window with the decisions on them, in the order of the ledger."""
        ...

    async def known(
        self, invitations: Sequence[str], customers: Sequence[str], window: Window
    ) -> Known:
        """Which invitations were before the window, and what customers had said."""
        ...


_SKEW = timedelta(days=1)  # of emitters' clocks


def window_of(programme: Programme, since: datetime, now: datetime) -> Window:
    """How far back has to be looked for the events since a moment."""
    triggers = programme.triggers.values()
    start = since - max((trigger.settle for trigger in triggers), default=timedelta(0))
    age = max((trigger.max_age for trigger in triggers), default=timedelta(0))
    cap = max((cap.per for cap in programme.caps), default=timedelta(0))
    return Window(since, now, start, start - cap, start - age - _SKEW)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A changed programme beside today's. `today` is None where it is not the ledger's newest.

    Then the ledger stands beside the changed one as it is.
    """

    changed: Effect
    today: Effect | None
    ledgered: Ledgered

    @property
    def rows(self) -> Sequence[Row]:
        today = self.changed.recorded if self.today is None else self.today.counts
        return rows_of(today, self.changed.counts)

    @property
    def checked(self) -> Effect:
        """The run that can be held against the ledger: today's, if there is one."""
        return self.today or self.changed


async def compare(
    past: Past,
    programmes: tuple[Programme | None, Programme],
    channels: AbstractSet[str],
    since: datetime,
    now: datetime,
) -> Comparison:
    """Decide again by a changed programme, the second, and by today's where it is known.

    What the changed one would need a fact for that was not kept is left out of both; where only
    today's does, it stands as the ledger has it.
    """
    today, changed = programmes
    ledgered = await past.ledgered(since)
    effect = Effect(changed, since)
    await decide_again(past, (today or changed, changed), channels, effect, now)
    if today is None or today.digest == changed.digest:
        return Comparison(effect, None, ledgered)
    beside = Effect(today, since, skipped=effect.missing, standing=True)
    await decide_again(past, (today, today), channels, beside, now)
    return Comparison(effect, beside, ledgered)


async def decide_again(
    past: Past,
    programmes: tuple[Programme, Programme],
    channels: AbstractSet[str],
    effect: Effect,
    now: datetime,
) -> Effect:
    """Decide again on what came since `effect.since`, and count it there.

    Events were kept by the first programme, and are decided by the second. `channels`: those of
    the deployment where the ledger does not show them.
    """
    kept, programme = programmes
    window = window_of(programme, effect.since, now)
    replay = Replay(programme, channels, await past.before(window, programme), kept)
    async for page in past.pages(window):
        prepared = [replay.prepare(batch) for batch in page]
        replay.learn(await past.known(*_named(prepared), window))
        for batch in prepared:
            effect.add(replay.step(batch))
    effect.add(replay.end(now))
    effect.not_taken_back(replay.not_taken_back())
    return effect


def _named(prepared: Sequence[Prepared]) -> tuple[list[str], list[str]]:
    """The invitations that may become of some events, and the customers of these."""
    questions = [question for each in prepared for _, question in each.questions]
    occasions = [occasion for each in prepared for _, occasion in each.occasions]
    invitations = {question.invitation_id for question in questions} - {None}
    customers = {occasion.customer_id for occasion in occasions} - {None}
    return sorted(filter(None, invitations)), sorted(filter(None, customers))
