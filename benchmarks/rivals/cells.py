"""Where an answer counts, in plain words and of the standard library alone."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, Final

DIMENSIONS: Final = tuple(f"d{number}" for number in range(8))
PAIRS: Final = tuple(combinations(DIMENSIONS, 2))[:10]
GROUPS: Final = ((), *((name,) for name in DIMENSIONS), *PAIRS)
NAMES: Final = tuple((group, ",".join(group)) for group in GROUPS)


def names_of(answer: Mapping[str, Any]) -> Iterator[str]:
    """`survey|metric|dimensions|values|hour` of each of the 19 cells."""
    segments, whose = answer["segments"], f"{answer['survey']}|{answer['metric']}"
    hour = f"{answer['answered_at'][:13]}:00:00Z"
    for group, name in NAMES:
        yield f"{whose}|{name}|{','.join(map(segments.__getitem__, group))}|{hour}"


def sums_of(score: int) -> tuple[int, int, int, int, int]:
    """What one answer adds: n, score, detractors, passives, promoters."""
    return 1, score, int(score <= 6), int(7 <= score <= 8), int(score >= 9)
