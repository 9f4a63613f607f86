"""Where an answer counts: the cells (line, hour) and the plain sums that a change adds to them.

Sums commute, so windows, partitions, processes and replays agree. A change takes away what the
answer was and adds what it is.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import blake2b
from typing import Final, NamedTuple

from services.scoring.domain.answers import LOWEST, SENT, Change, Truth
from services.scoring.domain.tallies import Places, Values, tally

POINTS: Final = 11  # columns for points: no scale is longer
INVITED: Final = 11  # then two more columns: invitations sent, and those of them answered
ANSWERED: Final = 12
WIDTH: Final = 13
VALUES_AT_MOST: Final = 10_000

_HOUR: Final = timedelta(hours=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Spot = tuple[str, int, str, int, int]  # metric, highest point, survey ("": none), hour, column


class Line(NamedTuple):
    """One line of counts: a metric on a scale, a survey, and the values of a slice's dimensions."""

    metric: str
    scale: int
    survey: str
    slice: str  # dimensions, sorted, with commas; "" is all
    values: tuple[str, ...]

    @property
    def number(self) -> int:
        """The first 8 bytes of a BLAKE2b of the rest: the same in every process."""
        name = "\0".join((self.metric, str(self.scale), self.survey, self.slice, *self.values))
        return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), signed=True)


Cell = tuple[Line, int]  # line, hour


@dataclass(frozen=True)
class Layout:
    """Which dimensions and pairs are counted. `paths` gives each dimension its place in events."""

    paths: Mapping[str, str | None] = field(default_factory=dict)
    pairs: tuple[tuple[str, str], ...] = ()

    @cached_property
    def dimensions(self) -> tuple[str, ...]:
        return tuple(self.paths)

    @cached_property
    def slices(self) -> Mapping[str, tuple[int, ...]]:
        """Every slice that has running counts, with the positions of its dimensions."""
        named = [(), *((name,) for name in self.paths), *map(tuple, map(sorted, self.pairs))]
        return {slice_key(names): tuple(map(self.dimensions.index, names)) for names in named}


def slice_key(dimensions: Iterable[str]) -> str:
    """The name of a slice: its dimensions, sorted."""
    return ",".join(sorted(dimensions))


def hour_of(moment: datetime) -> int:
    """Whole hours since 1970, in UTC."""
    return (moment - _EPOCH) // _HOUR


def places_of(truths: Iterable[Truth], dimensions: Sequence[str]) -> Places[Spot]:
    """The answer counts in its hour, the invitation in the hour it was sent."""
    spots: list[Spot] = []
    rows: list[Values] = []
    for truth in truths:
        found = _spots(truth)
        spots += found
        rows += [tuple(map(truth.segments.get, dimensions))] * len(found)
    return Places.of(spots, rows, len(dimensions))


def _spots(truth: Truth) -> list[Spot]:
    survey = truth.survey or ""
    found: list[Spot] = []
    reply, asking = truth.reply, truth.asking
    if reply is not None:
        point = reply.score - LOWEST[reply.metric]
        found.append((reply.metric, reply.scale, survey, hour_of(reply.answered_at), point))
    if asking is not None and asking.status == SENT:
        asked = (asking.asked_metric, asking.asked_scale, survey, hour_of(asking.invited_at))
        found.append((*asked, INVITED))
        if reply is not None:
            found.append((*asked, ANSWERED))
    return found


def before_and_after(
    changes: Collection[Change], dimensions: Sequence[str]
) -> tuple[Places[Spot], Places[Spot]]:
    """Where the changed answers counted, and where they count now."""
    before = [change.before for change in changes if change.before is not None]
    return (
        places_of(before, dimensions),
        places_of((change.after for change in changes), dimensions),
    )


def cells_of(before: Places[Spot], after: Places[Spot], layout: Layout) -> dict[Cell, list[int]]:
    """What is to be added in every cell of the layout that changes."""
    cells: dict[Cell, list[int]] = {}
    for one in tally(after, before, layout.slices, range(WIDTH)):
        metric, scale, survey, hour = one.place
        cells[Line(metric, scale, survey, one.slice, one.values), hour] = one.sums
    return cells
