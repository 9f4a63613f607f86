"""Which channels were closed to a customer at a moment, from what decisions saw."""

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from services.trigger.domain.backtest.entries import Fate, Refusal
from services.trigger.domain.facts import PastAsk
from services.trigger.domain.suppressions import EVERY_CHANNEL

_NONE: frozenset[str] = frozenset()


class Closings:
    """What was last seen of each customer, and what is closed today since a known moment."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[datetime, AbstractSet[str]]] = {}
        self._closed: dict[str, set[tuple[str, datetime]]] = {}

    def learn(self, refusals: Sequence[Refusal]) -> None:
        """What is closed today."""
        for each in refusals:
            self._closed.setdefault(each.customer_id, set()).add((each.channel, each.at))

    def see(self, customer_id: str, at: datetime, channels: Collection[str]) -> None:
        """A decision saw exactly these channels closed."""
        if channels or customer_id in self._seen or customer_id in self._closed:
            self._seen[customer_id] = (at, frozenset(channels))

    def at(self, customer_id: str, clock: datetime) -> AbstractSet[str]:
        """The channels that were closed then: as last seen, and what was closed since."""
        seen, closed = self._seen.get(customer_id), self._closed.get(customer_id, ())
        since, found = seen if seen is not None else (None, _NONE)
        new = {name for name, at in closed if at <= clock and (since is None or at > since)}
        return found | new if new else found

    def take_out(
        self, customer_id: str, ask: PastAsk, channels: Sequence[str], now: datetime
    ) -> Fate | None:
        """What becomes of an asking by these channels that is closed before it leaves."""
        coming = sorted((at, name) for name, at in self._closed.get(customer_id, ()))
        left, fate = list(channels), None
        for at, name in coming:
            if now < at <= ask.at and left:
                left = [c for c in left if name not in (EVERY_CHANNEL, c)]
                fate = Fate(at, ask.at if left else None, left[0] if left else ask.channel)
        return fate
