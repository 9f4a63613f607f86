"""The tests by name."""

from benchmarks.spikes.promise import T3, T4
from benchmarks.spikes.rows import Test
from benchmarks.spikes.spikes import T6

TESTS: dict[str, Test] = {"T3": T3, "T4": T4, "T6": T6}
