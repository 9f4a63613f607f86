"""A reply never claims to be up to date where nobody knows."""

import pytest

from services.scoring.domain.lag import behind_s

NOW = 1_000.0


@pytest.mark.parametrize(
    ("waiting", "newest_ms", "reading", "expected"),
    [
        ([0, 0], 0, True, 0.0),
        ([0, 3], 998_500, True, 1.5),
        ([0, 3], 1_002_000, True, 0.0),  # clocks differ
        ([0, 3], 0, True, None),  # a backlog of which nothing is counted yet
        ([0, 0], 998_500, False, None),  # Kafka is away: what waits there is not known
        ([], 0, False, None),
    ],
)
def test_what_is_known_is_told(
    waiting: list[int], newest_ms: float, *, reading: bool, expected: float | None
) -> None:
    assert behind_s(NOW, waiting, newest_ms, reading=reading) == expected
