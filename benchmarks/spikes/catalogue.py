"""The tests by name."""

from benchmarks.spikes.causes import T9
from benchmarks.spikes.costs import T10
from benchmarks.spikes.delays import T1, T2
from benchmarks.spikes.histories import T5
from benchmarks.spikes.lateness import T7
from benchmarks.spikes.lives import T8
from benchmarks.spikes.promise import T3, T4
from benchmarks.spikes.quiet import T11
from benchmarks.spikes.rows import Trial
from benchmarks.spikes.spikes import T6

TESTS: dict[str, Trial] = {
    "T1": T1,
    "T2": T2,
    "T3": T3,
    "T4": T4,
    "T5": T5,
    "T6": T6,
    "T7": T7,
    "T8": T8,
    "T9": T9,
    "T10": T10,
    "T11": T11,
}
