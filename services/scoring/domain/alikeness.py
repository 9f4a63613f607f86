"""How alike answers of one cluster are, as it was last estimated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Final

from services.scoring.domain.cells import slice_key
from services.scoring.domain.windows import Window

Known = Mapping[tuple[str, str, str], float]  # metric, slice, kind of cluster

DAYS: Final = 28
ENOUGH: Final = 100  # answers; fewer hardly tell how alike they are
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Alikeness:
    """The intraclass correlations of a process: `known` is replaced whole when estimated anew.

    `kinds` is what the programme says that answers cluster by: `day`, or dimensions.
    """

    kinds: tuple[str, ...] = ()
    known: Known = field(default_factory=dict)

    def of(self, metric: str, dimensions: Sequence[str], kind: str) -> float:
        """How alike they are within the segments of a slice; 0 where nothing is known.

        Of a slice without an estimate the largest that is known of fewer of its dimensions.
        """
        own = self.known.get((metric, slice_key(dimensions), kind))
        if own is not None:
            return own
        fewer = (
            self.known.get((metric, slice_key(names), kind), 0.0)
            for size in range(len(dimensions))
            for names in combinations(dimensions, size)
        )
        return max(fewer, default=0.0)


def learnt_from(answered: Mapping[int, int], now: datetime) -> Window | None:
    """The 28 days that tell how alike answers are; None where nobody answered.

    The last ones; where these have too few answers, as after an import of old ones, those 28 with
    the most, of equals the newest. `answered`: how many on each day since 1970, UTC.
    """
    end = now.replace(minute=0, second=0, microsecond=0)
    today = (now - _EPOCH).days
    if _in_days(answered, today) >= ENOUGH:
        return Window(end - timedelta(days=DAYS), end)
    if not any(answered.values()):
        return None
    last = max((*answered, today), key=lambda day: (_in_days(answered, day), day))
    if last >= today:
        return Window(end - timedelta(days=DAYS), end)
    after = _EPOCH + timedelta(days=last + 1)
    return Window(after - timedelta(days=DAYS), after)


def _in_days(answered: Mapping[int, int], last: int) -> int:
    """How many answered on this day and the 27 before."""
    return sum(answered.get(day, 0) for day in range(last - DAYS + 1, last + 1))
