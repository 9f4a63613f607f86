"""Who was asked in the run, as the caps count it: with what became of it where that is known."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count

from services.trigger.domain.backtest.entries import Entry, Fate, Given
from services.trigger.domain.facts import PastAsk
from services.trigger.domain.memory import Memory
from services.trigger.domain.reasons import Reason
from shared.programme.models import Programme


@dataclass(frozen=True, slots=True)
class Asking:
    """One asking, and whose: `entry` is None for one that was given.

    `taken_back`: an event cancelled it in the ledger, so that it had not left by then.
    """

    customer_id: str
    ask: PastAsk
    subject_id: str
    event_time: datetime
    entry: Entry | None = None
    reason: Reason = Reason.ASKED
    taken_back: bool = False


class Askings:
    """Keeps a memory's askings as the tables keep them, while the clock goes on."""

    def __init__(self, memory: Memory, programme: Programme, given: Sequence[Given]) -> None:
        self._memory = memory
        self._programme = programme
        self._given = sorted(given, key=lambda each: each.made_at, reverse=True)
        self._fates: list[tuple[datetime, int, str, PastAsk, Fate]] = []
        self._number = count()
        self._later: defaultdict[tuple[str, str], list[Asking]] = defaultdict(list)
        self._longest = max((cap.per for cap in programme.caps), default=timedelta(0))

    def until(self, clock: datetime) -> None:
        """Note what was given and what became of invitations up to a moment."""
        while self._given and self._given[-1].made_at <= clock:
            given = self._given.pop()
            if given.parent is None or given.parent in self._memory.asked:
                asking = Asking(given.customer_id, given.ask, given.subject_id, given.event_time)
                self.add(replace(asking, taken_back=given.taken_back), given.fate, given.made_at)
        while self._fates and self._fates[0][0] <= clock:
            _, _, customer_id, ask, fate = heappop(self._fates)
            self._amend(customer_id, ask, fate)

    def add(self, asking: Asking, fate: Fate | None, now: datetime) -> None:
        """Remember an asking that the memory does not have."""
        ask = asking.ask
        self._memory.asked.add(ask.invitation_id)
        for asks in self._lists(asking.customer_id, ask):
            asks.append(ask)
        self.follow(asking, fate, now)

    def follow(self, asking: Asking, fate: Fate | None, now: datetime) -> None:
        """An asking that the memory has: what becomes of it, and whether it may be taken back."""
        ask = asking.ask
        for asks in self._lists(asking.customer_id, ask):
            _forget_until(asks, now - self._longest)
        if fate is not None and (ask.more or (fate.at, fate.channel) != (ask.at, ask.channel)):
            entry = (fate.since, next(self._number), asking.customer_id, ask, fate)
            heappush(self._fates, entry)
        if asking.taken_back or ask.at > now:
            self._later[ask.trigger, asking.subject_id].append(asking)

    def take_back(
        self, about: tuple[str, str], whose: str, since: datetime, clock: datetime
    ) -> Iterator[Asking]:
        """Askings of a trigger about a subject are pointless; those that have not left.

        `whose` is empty where the event named nobody; it is not later than `since`.
        """
        kept = []
        for asking in self._later.pop(about, ()):
            scheduled = asking.taken_back or asking.ask.at > clock
            if scheduled and whose in ("", asking.customer_id) and asking.event_time <= since:
                self._drop(asking)
                yield asking
            elif scheduled:
                kept.append(asking)
        if kept:
            self._later[about] = kept

    def left_over(self) -> Iterator[Asking]:
        """Those that were taken back in the ledger and have not been here."""
        for askings in self._later.values():
            yield from (asking for asking in askings if asking.taken_back)

    def _drop(self, asking: Asking) -> None:
        for asks in self._lists(asking.customer_id, asking.ask):
            asks[:] = [a for a in asks if a.invitation_id != asking.ask.invitation_id]

    def _amend(self, customer_id: str, ask: PastAsk, fate: Fate) -> None:
        for asks in self._lists(customer_id, ask):
            for place, past in enumerate(asks):
                if past.invitation_id == ask.invitation_id:
                    if fate.at is None:
                        del asks[place]
                    else:
                        asks[place] = replace(past, at=fate.at, channel=fate.channel, more=())
                    break

    def _lists(self, customer_id: str, ask: PastAsk) -> list[list[PastAsk]]:
        memory, names = self._memory, self._programme.group_dimensions & set(ask.segments)
        groups = [memory.groups[name, ask.segments[name]] for name in names]
        return [memory.asks[customer_id], *groups]


def _forget_until(asks: list[PastAsk], since: datetime) -> None:
    """They are nearly in order of time: what no cap sees any more stands in front."""
    old = next((place for place, ask in enumerate(asks) if ask.at > since), len(asks))
    del asks[:old]
