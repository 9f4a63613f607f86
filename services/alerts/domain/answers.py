"""Answers as evidence: each counts once, in one minute of one leaf."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

DAY: Final = 24 * 60  # minutes
LATEST: Final = 30 * DAY  # what comes later than this after its minute was judged is history


class Line(NamedTuple):
    """One metric of one survey, judged on its own. `survey` is empty where there is none."""

    metric: str
    survey: str


class Place(NamedTuple):
    """Where an answer counts. `survey` and `cluster` are empty where there is none."""

    metric: str
    survey: str
    minute: int
    leaf: str
    cluster: str = ""

    @property
    def line(self) -> Line:
        return Line(self.metric, self.survey)


class Answer(NamedTuple):
    """What alerts needs of an answer's present truth; `traceparent` where its trace is followed."""

    id: str
    version: str
    place: Place
    detractor: bool
    reasons: tuple[str, ...] = ()
    comment: str | None = None
    traceparent: str | None = None


class Change(NamedTuple):
    """An answer that counts now, and where it counted before; None where it is new."""

    answer: Answer
    before: tuple[Place, bool] | None


class Tick(NamedTuple):
    """Answers and the detractors among them; either may be taken away."""

    answers: int
    detractors: int


def minute_of(moment: datetime) -> int:
    """The minute of event time, counted from the epoch."""
    return int(moment.timestamp()) // 60


def begin_of(minute: int) -> datetime:
    """When a minute begins."""
    return datetime.fromtimestamp(minute * 60, UTC)


def fold(answers: Iterable[Answer]) -> list[Answer]:
    """One answer an id, the greatest version, in the order of ids."""
    newest: dict[str, Answer] = {}
    for answer in answers:
        known = newest.get(answer.id)
        if known is None or known.version < answer.version:
            newest[answer.id] = answer
    return [newest[key] for key in sorted(newest)]


def bring_forward(answers: Iterable[Answer], closed_to: Mapping[Line, int]) -> list[Answer]:
    """Move answers of judged minutes into the oldest open one; drop what is history by now.

    An answer more than 30 days behind what was judged belongs to an import of the past: it says
    nothing about today and would be judged as if all of it had happened in one minute.
    """
    moved = []
    for answer in answers:
        minute = answer.place.minute
        oldest_open = closed_to.get(answer.place.line, 0) + 1
        if minute >= oldest_open:
            moved.append(answer)
        elif oldest_open - minute <= LATEST:
            moved.append(answer._replace(place=answer.place._replace(minute=oldest_open)))
    return moved


def tally(changes: Iterable[Change]) -> Mapping[Place, Tick]:
    """What to add where, in the order of places; an answer that moved is taken away first."""
    sums: dict[Place, list[int]] = defaultdict(lambda: [0, 0])
    for change in changes:
        here = sums[change.answer.place]
        here[0] += 1
        here[1] += change.answer.detractor
        if change.before is not None:
            place, detractor = change.before
            sums[place][0] -= 1
            sums[place][1] -= detractor
    return {place: Tick(*sums[place]) for place in sorted(sums) if any(sums[place])}
