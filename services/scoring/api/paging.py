"""Pages of groups, in falling n."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import blake2b
from typing import Annotated

import numpy as np
from fastapi import Query

from services.scoring.domain.questions import Question, Segment
from services.scoring.domain.sheets import Sheet
from services.scoring.domain.windows import Window
from shared.programme.metrics import Metric, find_metric, scales_of
from shared.web import encode_cursor
from shared.web.pages import LIMIT, Cursor


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
        return encode_cursor([self.as_of.isoformat(), n, list(segment), self.mark])

    @property
    def mark(self) -> str:
        """By this a cursor is known to be one of this question's."""
        bounds = (self.window.start.isoformat(), self.window.end.isoformat())
        return blake2b(repr((self.question, bounds)).encode(), digest_size=4).hexdigest()


@dataclass(frozen=True)
class Page:
    """The groups of one page, as places in the sheet, and the cursor of the next."""

    places: Sequence[int]
    next: str | None


def page_of_groups(sheet: Sheet, asked: Asked, limit: int, window: int) -> Page:
    """The groups of this page in falling n of one window; those without anything are left out."""
    sizes, segments = sheet.n(window), sheet.segments
    shown = np.ones(len(segments), bool)
    if asked.question.by:
        shown = (sizes > 0) | (sheet.invited(window) > 0)
    if asked.after is not None:
        n, last = asked.after
        for place in np.flatnonzero(sizes == n):
            shown[place] &= list(segments[place]) > last
        shown &= sizes <= n
    found = np.flatnonzero(shown)
    if len(found) > limit + 1:  # only what can come first is put in order
        found = found[sizes[found] >= np.partition(sizes[found], -limit - 1)[-limit - 1]]
    ranked = sorted((-int(sizes[place]), list(segments[place]), int(place)) for place in found)
    kept = [place for _, _, place in ranked[:limit]]
    if len(ranked) <= limit:
        return Page(kept, None)
    return Page(kept, asked.place(int(sizes[kept[-1]]), segments[kept[-1]]))


def named(question: Question, segment: Segment) -> dict[str, str]:
    """The segment as replies show it."""
    return dict(zip(question.by, segment, strict=True))


@cache
def main_scale(metric: str) -> Metric:
    """The metric on its default scale; score and interval are those of every scale."""
    return find_metric(metric, scales_of(metric)[0])
