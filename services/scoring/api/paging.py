"""Pages of groups, in falling n."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Query

from services.scoring.domain.questions import Group, Question, Segment
from services.scoring.domain.windows import Window
from shared.programme.metrics import Metric, find_metric, scales_of
from shared.web import encode_cursor
from shared.web.pages import LIMIT, Cursor

Groups = dict[Segment, dict[int, Group]]
NOBODY = Group()


@dataclass
class Paged:
    """How much: groups in falling n."""

    by: Annotated[str | None, Query(description="at most two dimensions, with a comma")] = None
    limit: Annotated[int, Query(ge=1, le=LIMIT, description="groups a page")] = LIMIT
    cursor: Cursor = None


@dataclass(frozen=True)
class Asked:
    """A question, its window, and the last group of the page before."""

    question: Question
    window: Window
    as_of: datetime
    after: tuple[int, list[str]] | None

    def place(self, n: int, segment: Segment) -> str:
        """The cursor behind this group; it holds the page's `as_of` too."""
        return encode_cursor([self.as_of.isoformat(), n, list(segment)])


def page_of_groups(
    groups: Groups, asked: Asked, limit: int, windows: range
) -> tuple[list[Segment], str | None]:
    """The segments of this page in falling n, and the cursor of the next."""
    ranked = sorted(
        (-size_of(found, windows), list(segment))
        for segment, found in groups.items()
        if not segment or any(_shown(found.get(number, NOBODY)) for number in windows)
    )
    if asked.after is not None:
        last = (-asked.after[0], asked.after[1])
        ranked = [place for place in ranked if place > last]
    kept = [tuple(values) for _, values in ranked[:limit]]
    more = len(ranked) > limit
    following = asked.place(size_of(groups[kept[-1]], windows), kept[-1]) if more else None
    return kept, following


def _shown(group: Group) -> bool:
    return group.n > 0 or group.invited > 0


def size_of(found: dict[int, Group], windows: range) -> int:
    return sum(found[number].n for number in windows if number in found)


def named(question: Question, segment: Segment) -> dict[str, str]:
    """The segment as replies show it."""
    return dict(zip(question.by, segment, strict=True))


def main_scale(metric: str) -> Metric:
    """The metric on its default scale; score and interval are those of every scale."""
    return find_metric(metric, scales_of(metric)[0])
