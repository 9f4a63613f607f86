"""An answer as scoring keeps it: what was said, what was asked, and which truth wins.

A reply and its invitation arrive in any order and any number of times. Each side keeps its
greatest (`answered_at`, `digest`) or `revision`; where both are known the invitation's survey,
segments, touchpoint and customer are the frozen truth and replace those that the reply brought.
Nothing here refers to itself, so the structs are left out of garbage collection.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from shared.programme.metrics import METRICS, Klass, Metric, find_metric
from shared.wire import encode_text

SENT = "sent"


class Reply(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the customer said. The order of the fields is that of the table's columns."""

    answered_at: datetime
    digest: str  # first 8 hex digits of the SHA-256 of the content
    invited: bool
    survey: str | None
    metric: str
    scale: int  # the scale's highest point; the metric tells the lowest
    score: int
    segments: dict[str, str]
    touchpoint: str | None
    customer_id: str | None
    reasons: tuple[str, ...]
    comment: str | None
    language: str | None
    channel: str | None
    submission_id: str | None
    received_at: datetime

    @property
    def order(self) -> tuple[datetime, str]:
        """The greater wins."""
        return self.answered_at, self.digest


class Asking(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What was asked, and of which event. The order of the fields is that of the columns."""

    revision: int
    status: str
    asked_survey: str
    kind: str
    asked_metric: str
    asked_scale: int
    asked_segments: dict[str, str]
    asked_touchpoint: str | None
    asked_customer_id: str | None
    event_at: datetime
    invited_at: datetime


class Truth(msgspec.Struct, frozen=True, gc=False):
    """All that is known of one answer id."""

    id: str
    reply: Reply | None = None
    asking: Asking | None = None

    @property
    def survey(self) -> str | None:
        """The survey under which it counts."""
        if self.asking is not None:
            return self.asking.asked_survey
        return None if self.reply is None else self.reply.survey

    @property
    def segments(self) -> dict[str, str]:
        """The segments in which it counts."""
        if self.asking is not None:
            return self.asking.asked_segments
        return {} if self.reply is None else self.reply.segments


class Change(msgspec.Struct, frozen=True, gc=False):
    """One answer before and after a batch."""

    before: Truth | None
    after: Truth


LOWEST = {metric.name: metric.scale[0] for metric in METRICS}  # the same on all its scales


def metric_of(name: str, highest: int) -> Metric:
    """The entry of the table of metrics. Raises UnknownMetric."""
    return find_metric(name, (LOWEST[name], highest))


def version_of(truth: Truth) -> str | None:
    """`answered_at/digest/joined`, compared as text; None while nobody has answered."""
    if truth.reply is None:
        return None
    moment = encode_text(truth.reply.answered_at)
    return f"{moment}/{truth.reply.digest}/{'0' if truth.asking is None else '1'}"


@lru_cache(maxsize=1_000)
def class_at(metric: str, highest: int, score: int) -> Klass:
    """Detractor, passive or promoter. Raises UnknownMetric, and ValueError off the scale."""
    return metric_of(metric, highest).class_of(score)


def fold(truths: Iterable[Truth]) -> list[Truth]:
    """One truth an id, the greatest of each side, sorted by id; any order of input ends alike."""
    known: dict[str, Truth] = {}
    for truth in truths:
        other = known.get(truth.id)
        known[truth.id] = truth if other is None else merge(other, truth)
    return [known[key] for key in sorted(known)]


def merge(left: Truth, right: Truth) -> Truth:
    """The greatest reply and the greatest asking of two truths about one id."""
    reply = _greater(left.reply, right.reply, "order")
    return Truth(left.id, reply, _greater(left.asking, right.asking, "revision"))


def _greater(left: Any, right: Any, rank: str) -> Any:
    if left is None or right is None:
        return left if right is None else right
    return right if getattr(right, rank) > getattr(left, rank) else left
