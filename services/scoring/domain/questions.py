"""What is asked of the answers, and the groups that come back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.scoring.domain.answers import metric_of
from services.scoring.domain.cells import ANSWERED, INVITED, POINTS, slice_key
from shared.tally import Tally, tally_points

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
    """One group in one window: its sums, for each scale. Scales stay apart until they are classes.

    Most groups of a large question are only ranked by `n`, so the rest is made when asked for.
    """

    metric: str = ""
    scales: Mapping[int, Sequence[int]] = field(default_factory=dict)

    @property
    def n(self) -> int:
        return sum(sum(counts[:POINTS]) for counts in self.scales.values())

    @property
    def tally(self) -> Tally:
        tally = Tally()
        for scale, counts in self.scales.items():
            tally += tally_points(metric_of(self.metric, scale), counts)
        return tally

    @property
    def invited(self) -> int:
        return sum(counts[INVITED] for counts in self.scales.values())

    @property
    def response_rate(self) -> float | None:
        """Answered of the invitations sent in the window; None where none was sent."""
        answered = sum(counts[ANSWERED] for counts in self.scales.values())
        return answered / self.invited if self.invited else None


Row = tuple[int, Segment, int, Sequence[int]]  # number of the window, segment, scale, sums
