"""What a maintenance window skews, for many leaves: the judge waits for it."""

import time
from itertools import combinations
from random import Random

from services.alerts.domain.mixes import LARGE, skewed_segments
from services.alerts.domain.streams import LeafTick, read_leaf, within
from shared.segments import Lattice, segment_key

MANY = 12_000
NAMES = tuple("abcdefgh")
EVERY_PAIR = Lattice(NAMES, tuple(combinations(NAMES, 2)))


def test_skewed_is_what_usually_lies_in_the_window_by_more_than_a_twentieth() -> None:
    draw = Random(4)
    lattice = Lattice(("b", "a", "c"), (("a", "b"), ("c", "a")))
    usual = _leaves(draw, 60, {"a": 6, "b": 5, "c": 4})
    for segment in ({}, {"a": "v1"}, {"a": "v2", "c": "v0"}, {"unknown": "v1"}):
        expected = set()
        for key in {key for tick in usual for key in lattice.keys(_segment(tick))}:
            held = [tick for tick in usual if key in lattice.keys(_segment(tick))]
            taken = sum(tick.answers for tick in held if within(tick.leaf, segment))
            if taken > LARGE * sum(tick.answers for tick in held):
                expected.add(key)

        assert skewed_segments(lattice, usual, segment) == expected


def test_it_is_found_for_thousands_of_leaves_in_eight_dimensions_at_once() -> None:
    usual = _leaves(Random(5), MANY, dict.fromkeys(NAMES, 9))

    began = time.process_time()
    assert skewed_segments(EVERY_PAIR, usual, {"a": "v1"})
    assert time.process_time() - began < 0.6  # it was 1.5 s and more


def _leaves(draw: Random, many: int, sizes: dict[str, int]) -> list[LeafTick]:
    found = {}
    for _ in range(many):
        named = {n: f"v{draw.randrange(size)}" for n, size in sizes.items() if draw.random() < 0.9}
        found[segment_key(named)] = LeafTick(segment_key(named), draw.randrange(1, 9), 0)
    return list(found.values())


def _segment(tick: LeafTick) -> dict[str, str]:
    return dict(read_leaf(tick.leaf))
