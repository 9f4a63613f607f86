"""How far events come: heard, eligible, asked, delivered, answered; and the rates between.

A decision counts at one step, which names its stage and its reason; an invitation that was sent
counts at `delivered`, and at `answered` too. All of it counts in the hour of the event and in the
segments frozen there, so that a window follows the events of one time.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import floor, sqrt

from scipy.special import bdtr

from services.scoring.domain.answers import SENT, Change, Truth
from services.scoring.domain.cells import Line, hour_of
from services.scoring.domain.decisions import Decision, Stage, Turn
from services.scoring.domain.shares import Share, share_of
from services.scoring.domain.tallies import Places, Values, tally
from shared.intervals import LEVEL

DELIVERED = "delivered"
ANSWERED = "answered"

Spot = tuple[str, int, str]  # survey ("": none), hour, step
Cell = tuple[Line, int, str]  # line, hour, step


def step_of(stage: str, reason: str) -> str:
    """The step at which a decision counts, such as `eligible:not-sampled`."""
    return f"{stage}:{reason}"


def before_and_after(
    changes: Collection[Change], turns: Collection[Turn], dimensions: Sequence[str]
) -> tuple[Places[Spot], Places[Spot]]:
    """Where the changed invitations and decisions counted, and where they count now."""
    return (
        _places(
            (one.before for one in changes if one.before is not None),
            (one.before for one in turns if one.before is not None),
            dimensions,
        ),
        _places((one.after for one in changes), (one.after for one in turns), dimensions),
    )


def _places(
    truths: Iterable[Truth], decisions: Iterable[Decision], dimensions: Sequence[str]
) -> Places[Spot]:
    spots: list[Spot] = []
    rows: list[Values] = []
    for one in decisions:
        spots.append((one.survey, hour_of(one.event_time), step_of(one.stage, one.reason)))
        rows.append(tuple(map(one.segments.get, dimensions)))
    for truth in truths:
        asking = truth.asking
        if asking is None or asking.status != SENT:
            continue
        steps = (DELIVERED,) if truth.reply is None else (DELIVERED, ANSWERED)
        values = tuple(map(asking.asked_segments.get, dimensions))
        hour = hour_of(asking.event_at)
        for step in steps:
            spots.append((asking.asked_survey, hour, step))
            rows.append(values)
    return Places.of(spots, rows, len(dimensions))


def steps_of(
    left: Places[Spot], come: Places[Spot], slices: Mapping[str, tuple[int, ...]]
) -> dict[Cell, int]:
    """What is to be added in every cell of these slices that changes."""
    steps = sorted({spot[-1] for spot in (*left.spots, *come.spots)})
    return {
        (Line("", 0, one.place[0], one.slice, one.values), one.place[1], step): n
        for one in tally(come, left, slices, steps)
        for step, n in zip(steps, one.sums, strict=True)
        if n
    }


def rate_of(part: int, whole: int) -> Share | None:
    """A share of what came one step less far; None where there is no whole.

    A part is never more than its whole, even while the record that says so is under way.
    """
    return share_of(min(part, whole), whole)


@dataclass(frozen=True, slots=True)
class Funnel:
    """How many events of one group ended at each step."""

    steps: Mapping[str, int] = field(default_factory=dict)

    @property
    def events(self) -> int:
        """Events, once for each trigger that listens, or once where none does."""
        return sum(n for step, n in self.steps.items() if ":" in step)

    @property
    def eligible(self) -> int:
        return self._from(Stage.ELIGIBLE, Stage.ASKED)

    @property
    def asked(self) -> int:
        return self._from(Stage.ASKED)

    @property
    def delivered(self) -> int:
        return self.steps.get(DELIVERED, 0)

    @property
    def answered(self) -> int:
        return self.steps.get(ANSWERED, 0)

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """Why the events were asked about or not, the most frequent first; they add up to all."""
        found: Counter[str] = Counter()
        for step, n in self.steps.items():
            if ":" in step and n:
                found[step.partition(":")[2]] += n
        return sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))

    @property
    def rates(self) -> dict[str, Share | None]:
        """Each stage of the one before it, and `coverage`: answered of all that are eligible."""
        return {
            "eligible": rate_of(self.eligible, self.events),
            "asked": rate_of(self.asked, self.eligible),
            "delivered": rate_of(self.delivered, self.asked),
            "answered": rate_of(self.answered, self.delivered),
            "coverage": rate_of(self.answered, self.eligible),
        }

    def _from(self, *stages: Stage) -> int:
        return sum(n for step, n in self.steps.items() if step.partition(":")[0] in stages)


def median_ranks(n: int) -> tuple[int, int] | None:
    """Places (from 1) of the two sorted values that hold the median with at least 95 %.

    Thompson (1936, Ann. Math. Stat. 7, 122-128): how many values lie below the median is binomial
    with a half. None under 6 values, whose extremes hold it with less.
    """
    below = (1 - LEVEL) / 2
    rank = max(0, floor(n / 2 - 0.98 * sqrt(n)))
    while rank >= 1 and bdtr(rank - 1, n, 0.5) > below:
        rank -= 1
    while bdtr(rank, n, 0.5) <= below:
        rank += 1
    return (rank, n + 1 - rank) if rank >= 1 else None
