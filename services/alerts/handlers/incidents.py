"""The alerts of a line that are not settled, as the streams that cross meet them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations
from typing import Final

from services.alerts.domain.answers import minute_of
from services.alerts.domain.cases import Case
from services.alerts.domain.causes import Crossed, is_inside
from services.alerts.domain.leaves import Segment
from services.alerts.domain.normal import Scene
from services.alerts.domain.overlaps import Overlaps, View
from services.alerts.handlers.bench import Bench
from services.alerts.handlers.locating import Scenes

SAME_TIME: Final = timedelta(hours=24)


@dataclass(frozen=True)
class Meeting:
    """What becomes of a stream that crossed: it `joins` an alert, or `fires` by itself, or waits.

    `held`: what alerts explain around it already.
    """

    joins: Case | None = None
    fires: bool = False
    held: tuple[Segment, ...] = ()


class Incidents:
    """In step with the docket as long as each new alert is added. Onsets are looked at in scenes.

    A scene reads the line's leaves, and many streams have many onsets: beyond a few, the nearest
    that was read serves for what open alerts explain.
    """

    def __init__(self, bench: Bench, scenes: Scenes, cases: Mapping[str, Case]) -> None:
        self.scenes = scenes
        self._bench = bench
        self._names = list(cases)
        self._overlaps: dict[int, tuple[Scene, Overlaps]] = {}
        self._around: dict[frozenset[tuple[str, str]], list[str]] = {}
        for case in cases.values():
            self._note(case)

    def add(self, case: Case) -> None:
        """Count a new alert among the open ones."""
        self._note(case)
        self._names.append(case.alert.id)
        for _, overlaps in self._overlaps.values():
            overlaps.hold(case.alert.id, [one.segment for one in case.alert.slices])

    async def meet(self, crossed: Crossed, began_at: datetime) -> Meeting:
        """Whether a stream is part of what an alert tells of."""
        case = self._case_around(crossed)
        if case is not None:
            return Meeting(joins=case)
        if not self._around:
            return Meeting(fires=True)
        own = self.scenes.nearest(minute_of(began_at))
        view = await self._view(own, crossed)
        for onset in dict.fromkeys(self._onsets(view, began_at)):
            other = view if onset == own else await self._view(onset, crossed)
            if other.joins is not None and not other.fires:
                return Meeting(joins=self._case(other.joins))
        if view.fires:
            return Meeting(fires=True, held=self._held(view))
        return Meeting(joins=None if view.joins is None else self._case(view.joins))

    def _onsets(self, view: View, began_at: datetime) -> Iterator[int]:
        """The onsets of alerts beside a stream that began at about the same time."""
        for name in view.beside:
            began = self._case(name).alert.began_at
            if abs(began - began_at) <= SAME_TIME:
                yield self.scenes.nearest(minute_of(began))

    async def _view(self, onset: int, crossed: Crossed) -> View:
        scene = await self.scenes.since(onset)
        known = self._overlaps.get(onset)
        if known is None or known[0] is not scene:
            overlaps = Overlaps(scene.leaves)
            for case in map(self._case, self._names):
                overlaps.hold(case.alert.id, [one.segment for one in case.alert.slices])
            known = self._overlaps[onset] = scene, overlaps
        return known[1].view(crossed)

    def _held(self, view: View) -> tuple[Segment, ...]:
        held = (self._case(name) for name in view.held)
        return tuple(one.segment for case in held for one in case.alert.slices)

    def _case_around(self, crossed: Crossed) -> Case | None:
        """The alert within whose segment a stream rose no more than all of it; no scan."""
        items = tuple(crossed.segment.items())
        for size in range(len(items) + 1):
            for part in combinations(items, size):
                for name in self._around.get(frozenset(part), ()):
                    case = self._case(name)
                    rate = case.alert.detractor_rate
                    if is_inside(crossed, case.alert.segment, rate.baseline, rate.current):
                        return case
        return None

    def _case(self, name: str) -> Case:
        return self._bench.docket.find(name)

    def _note(self, case: Case) -> None:
        key = frozenset(case.alert.segment.items())
        self._around.setdefault(key, []).append(case.alert.id)
