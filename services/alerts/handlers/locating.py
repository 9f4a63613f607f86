"""What is behind a rise: one scan over the line's leaves since the onset, and its numbers."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from services.alerts.domain.alerts import Alert
from services.alerts.domain.answers import DAY, begin_of, minute_of
from services.alerts.domain.candidates import Least
from services.alerts.domain.causes import (
    Crossed,
    grown_reasons,
    locate,
    sample,
)
from services.alerts.domain.estimates import count, severity, shrink
from services.alerts.domain.facts import Cause, Location, Size
from services.alerts.domain.leaves import Segment
from services.alerts.domain.normal import Scene, build_scene
from services.alerts.domain.onset import find_change
from services.alerts.domain.streams import ALL, LeafTick, sum_within
from services.alerts.handlers.bench import Bench
from shared.segments import segment_key

BEFORE: Final = 28 * DAY
PAST_ENDS: Final = DAY // 4
REMARKS_NOW: Final = 2_000
REMARKS_BEFORE: Final = 5_000
LOOK_BACK: Final = 3  # times the excursion
LOOK_BACK_LEAST: Final = DAY // 2
BINS_AT_MOST: Final = 800
SCENES_KEPT: Final = 8
_FIRST_RATE: Final = 0.2


class Scenes:
    """The line's leaves up to a minute, since any onset, against the four weeks before.

    Each is read once: many streams cross together, most of them since the same minutes. The past
    ends up to six hours before the onset, so that it is the same for most. Of many leaves a scene
    takes seconds: it is set beside the event loop, and few are kept.
    """

    def __init__(self, bench: Bench, last: int) -> None:
        self._bench = bench
        self.last = last
        self._scenes: dict[int, Scene] = {}
        self._pasts: dict[int, Sequence[LeafTick]] = {}

    def nearest(self, first: int) -> int:
        """The onset itself while there is room for it, else the nearest of those that are kept."""
        if len(self._scenes) < SCENES_KEPT:
            return first
        return min(self._scenes, key=lambda kept: (abs(kept - first), kept))

    async def since(self, first: int) -> Scene:
        """What came since that minute."""
        if first not in self._scenes:
            bench, until = self._bench, first // PAST_ENDS * PAST_ENDS
            if until not in self._pasts:
                _make_room(self._pasts)
                self._pasts[until] = await bench.past.leaves(until - BEFORE, until - 1)
            scene = await asyncio.to_thread(
                build_scene,
                await bench.past.leaves(first, self.last),
                self._pasts[until],
                bench.normal_rate(ALL, _FIRST_RATE),
                bench.marginals(),
            )
            _make_room(self._scenes)
            self._scenes[first] = scene
        return self._scenes[first]


def find_location(
    bench: Bench, scene: Scene, crossed: Crossed, held: Sequence[Segment]
) -> Location | None:
    """Name the slices behind a stream's rise, on no less evidence than an alarm needs."""
    policy = bench.detector.policy
    least = Least(policy.evidence_answers, policy.evidence_detractors)
    return locate(scene, crossed, held, least)


def recount(
    bench: Bench, alert: Alert, counts: tuple[float, float], normal: float, last: int
) -> Alert:
    """The same alert with these answers and detractors in its segment since it began."""
    answers, detractors = counts
    hours = (last + 1 - minute_of(alert.began_at)) / 60
    rates, hurt = count(
        detractors=detractors,
        answers=answers,
        baseline_rate=normal,
        dispersion=bench.dispersion,
        hours=hours,
    )
    size = Size(
        n=round(answers),
        detractors=round(detractors),
        rates=rates,
        rise=alert.rise,
        hurt_per_hour=hurt,
    )
    return alert.sized(size, severity(hurt))


async def count_again(bench: Bench, alert: Alert, last: int) -> Alert:
    """The same alert with what is counted in its segment from its beginning to that minute."""
    first = minute_of(alert.began_at)
    sums = sum_within(await bench.past.leaves(first, last), alert.segment)
    return recount(bench, alert, sums, alert.detractor_rate.baseline, last)


async def measure(bench: Bench, alert: Alert, mass: float, last: int) -> Alert:
    """Shrink the rise, and find the window in which it began."""
    began = minute_of(alert.began_at)
    first = began - max(LOOK_BACK * (last + 1 - began), LOOK_BACK_LEAST)
    width = -((first - last - 1) // BINS_AT_MOST)
    bins = await bench.past.series(segment_key(alert.segment), first, last, width)
    normal = alert.detractor_rate.baseline
    if not bins or not 0 < normal < 1:
        return alert
    change = find_change(bins, normal, bench.dispersion)
    earliest, latest = change.between
    since = bins[max(earliest - 1, 0)].minute
    until = min(bins[latest].minute + width, last + 1)
    return msgspec.structs.replace(
        alert,
        rise=shrink(change, normal, max(mass, 1.0)),
        began_between=_around(alert.began_at, begin_of(since), begin_of(until)),
    )


async def explain(bench: Bench, alert: Alert, minute: int) -> Alert:
    """Find what detractors said in an alert's segment up to that minute, against before."""
    key, first = segment_key(alert.segment), minute_of(alert.began_at)
    now = await bench.past.remarks(key, first, minute, REMARKS_NOW)
    before = await bench.past.remarks(key, first - BEFORE, first - 1, REMARKS_BEFORE)
    around = await bench.past.remarks(ALL, first, minute, REMARKS_NOW) if alert.segment else ()
    if len(around) >= REMARKS_NOW:  # not all of them: what the slice's are a part of is unknown
        around = ()
    cause = Cause(top_reasons=grown_reasons(now, before, around), sample_comments=sample(now))
    return alert.explained(cause)


def move_to(
    bench: Bench, alert: Alert, location: Location | None, scene: Scene, last: int
) -> Alert:
    """Place an alert where it was found to be, with the numbers of that segment."""
    if location is None:
        return alert
    before, alert = alert.segment, alert.placed(location)
    if alert.segment == before:
        return alert
    sums = scene.leaves.sums(scene.leaves.within(alert.segment))
    normal = sums.expected / max(sums.answers, 1)
    return recount(bench, alert, (sums.answers, sums.detractors), normal, last)


def _around(moment: datetime, first: datetime, last: datetime) -> tuple[datetime, datetime]:
    return min(first, moment), max(last, moment)


def _make_room(kept: dict[int, Any]) -> None:
    """Forget what was kept first where there is no room for another."""
    if len(kept) >= SCENES_KEPT:
        kept.pop(next(iter(kept)))
