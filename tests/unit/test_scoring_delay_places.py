"""The places that are read of a group's delays hold the median's interval, whatever its size."""

from math import ceil, floor, sqrt

import pytest

from services.scoring.domain.funnel import median_ranks


@pytest.mark.parametrize(
    "sizes", [range(1, 3_000), range(10**6, 10**6 + 50), range(10**9, 10**9 + 5)]
)
def test_the_interval_lies_within_the_places_that_are_read(sizes: range) -> None:
    for n in sizes:
        first = max(1, floor(n / 2 - sqrt(n)) - 2)
        last = min(n, ceil(n / 2 + sqrt(n)) + 3)
        assert first <= (n + 1) // 2 <= last
        ranks = median_ranks(n)
        assert ranks is None or first <= ranks[0] <= ranks[1] <= last
