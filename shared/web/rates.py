"""How often: token buckets by name, in bounded memory, for one process."""

import time
from collections.abc import Callable, Hashable
from typing import Final

BURST_S: Final = 10
MOST: Final = 20_000


class Rates:
    """A bucket for each name that is filled at `per_s` and holds ten seconds' worth.

    Of a name one number is kept, when its bucket is full again (GCRA: ITU-T I.371, 1993). At most
    2 x `most` names are known; one is forgotten only after `most` others came. 0: any rate.
    """

    def __init__(
        self, per_s: float, most: int = MOST, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._each_s = 1 / per_s if per_s else 0.0
        self._most = most
        self._clock = clock
        self._full_at: dict[Hashable, float] = {}
        self._before: dict[Hashable, float] = {}

    def take(self, name: Hashable) -> float:
        """Take one; 0, or where there is none, in how many seconds there is."""
        if not self._each_s:
            return 0.0
        now = self._clock()
        full_at = max(now, self._known(name)) + self._each_s
        late = full_at - now - BURST_S
        if late > 0:
            return late
        self._keep(name, full_at)
        return 0.0

    def charge(self, name: Hashable, cost: float) -> None:
        """Take several whether or not they are there; who is empty stays so for no longer."""
        if self._each_s:
            now = self._clock()
            full_at = max(now, self._known(name)) + cost * self._each_s
            self._keep(name, min(full_at, now + BURST_S))

    def __len__(self) -> int:
        return len(self._full_at) + len(self._before)

    def _known(self, name: Hashable) -> float:
        found = self._full_at.get(name)
        return self._before.get(name, 0.0) if found is None else found

    def _keep(self, name: Hashable, full_at: float) -> None:
        if len(self._full_at) >= self._most and name not in self._full_at:
            self._before, self._full_at = self._full_at, {}
        self._full_at[name] = full_at
