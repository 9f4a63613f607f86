"""What is asked of the answers, and the groups that come back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from services.scoring.domain.answers import metric_of
from services.scoring.domain.cells import ANSWERED, INVITED, WIDTH, slice_key
from services.scoring.domain.tally import Tally, tally_points

Segment = tuple[str, ...]  # the values of `by`, in its order


@dataclass(frozen=True, slots=True)
class Question:
    """One metric, cut by up to two dimensions, narrowed by values of others.

    `on_event` places an answer at its event's time (its own where it was not invited), and not
    at the time of the answer.
    """

    metric: str
    survey: str | None = None
    by: tuple[str, ...] = ()
    where: tuple[tuple[str, str], ...] = ()
    on_event: bool = False

    @property
    def dimensions(self) -> tuple[str, ...]:
        """All dimensions that it touches, sorted as in a slice's name."""
        return tuple(sorted({*self.by, *(name for name, _ in self.where)}))

    @property
    def slice(self) -> str:
        """The slice whose running counts would answer it."""
        return slice_key(self.dimensions)


@dataclass(frozen=True, slots=True)
class Group:
    """One group in one window."""

    tally: Tally = field(default_factory=Tally)
    invited: int = 0
    answered: int = 0  # of those invited

    @property
    def response_rate(self) -> float | None:
        """Answered of the invitations sent in the window; None where none was sent."""
        return self.answered / self.invited if self.invited else None


Row = tuple[int, Segment, int, Sequence[int]]  # number of the window, segment, scale, sums


def gather(metric: str, rows: Iterable[Row]) -> dict[Segment, dict[int, Group]]:
    """Add rows up to one group a segment and window; scales stay apart until they are classes."""
    sums: dict[tuple[int, Segment], dict[int, list[int]]] = {}
    for number, segment, scale, counts in rows:
        scales = sums.setdefault((number, segment), {})
        known = scales.setdefault(scale, [0] * WIDTH)
        scales[scale] = [left + right for left, right in zip(known, counts, strict=True)]
    found: dict[Segment, dict[int, Group]] = {}
    for (number, segment), scales in sums.items():
        found.setdefault(segment, {})[number] = _group(metric, scales)
    return found


def _group(metric: str, scales: Mapping[int, Sequence[int]]) -> Group:
    tally = Tally()
    for scale, counts in scales.items():
        tally += tally_points(metric_of(metric, scale), counts)
    invited = sum(counts[INVITED] for counts in scales.values())
    return Group(tally, invited, sum(counts[ANSWERED] for counts in scales.values()))
