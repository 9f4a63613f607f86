"""The tests by name."""

from benchmarks.spikes.promise import T3, T4
from benchmarks.spikes.rows import Test

TESTS: dict[str, Test] = {"T3": T3, "T4": T4}
