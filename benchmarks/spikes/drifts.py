"""River's change detectors, fed each segment's hourly shares; a rise counts, a fall does not."""

from collections.abc import Callable, Iterable
from typing import Protocol, TypeAlias, cast

import numpy as np

from benchmarks.spikes.rules import QUIET_H, Alarms, hourly, number
from benchmarks.spikes.worlds import World


class ChangeDetector(Protocol):
    """What of river's detectors is used."""

    @property
    def drift_detected(self) -> bool: ...

    def update(self, x: float) -> None: ...


Make: TypeAlias = Callable[[float], ChangeDetector]


def make_adwin(delta: float) -> ChangeDetector:
    from river.drift import ADWIN  # more than a second; a test run only collects this module

    return cast(ChangeDetector, ADWIN(delta=delta))  # type: ignore[no-untyped-call]


def make_page_hinkley(threshold: float) -> ChangeDetector:
    from river.drift import PageHinkley

    return cast(ChangeDetector, PageHinkley(threshold=threshold, mode="up"))


# By name: how it is made, river's default, and settings from keen to slow.
DRIFTS: tuple[tuple[str, Make, tuple[float, ...]], ...] = (
    ("ADWIN", make_adwin, (0.3, 0.1, 0.03, 0.01, 0.002, 1e-4, 1e-6, 1e-9, 1e-15)),
    ("PageHinkley", make_page_hinkley, (0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0)),
)
USUAL = {"ADWIN": 0.002, "PageHinkley": 50.0}


def fit_drifts(calm: World, make: Make, settings: Iterable[float]) -> float | None:
    """The keenest setting that would have rung once a week at most; None: none does."""
    for setting in settings:
        if number(calm, ring_drifts(calm, make, setting)) <= calm.size.weeks:
            return setting
    return None


def rises(detector: ChangeDetector, values: Iterable[float]) -> list[int]:
    """The places at which it says that values changed to higher ones."""
    found = []
    level = 0.0
    for place, value in enumerate(values):
        earlier = level
        detector.update(value)
        level = float(getattr(detector, "estimation", 1.0))
        if detector.drift_detected and level > earlier - 1e-12:
            found.append(place)
    return found


def ring_drifts(world: World, make: Make, setting: float) -> Alarms:
    answers, detractors = hourly(world)
    alarms = np.zeros(answers.shape, bool)
    for segment in range(world.size.segments):
        hours = np.flatnonzero(answers[:, segment])
        shares = (detractors[hours, segment] / answers[hours, segment]).tolist()
        last = -QUIET_H
        for place in rises(make(setting), shares):
            if hours[place] - last >= QUIET_H:
                alarms[hours[place], segment] = True
            last = int(hours[place])
    return alarms
