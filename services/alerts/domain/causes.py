"""What is behind a rise: where the excess is, which reasons grew, what people wrote."""

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from services.alerts.domain.facts import ReasonShare
from services.alerts.domain.streams import LeafTick, sum_within, within

REASONS: Final = 5
COMMENTS: Final = 3
LONGEST_COMMENT: Final = 300
JOINS_AT: Final = 0.5


class Expected(NamedTuple):
    """A segment with the share of detractors that is normal in it."""

    segment: dict[str, str]
    rate: float


class Remark(NamedTuple):
    """What one detractor said."""

    reasons: tuple[str, ...]
    comment: str | None


def share_inside(ticks: Sequence[LeafTick], crossed: Expected, held: Expected) -> float:
    """Tell how much of a stream's excess detractors lies in a segment that has an alert, 0 to 1.

    `ticks`: the leaves of the line since the stream's onset. What is normal inside is read off the
    narrower of the two. Without any excess outside, all of it is inside.
    """
    inside = outside = 0.0
    narrow = held if len(held.segment) >= len(crossed.segment) else crossed
    for tick in ticks:
        if not within(tick.leaf, crossed.segment):
            continue
        if within(tick.leaf, held.segment):
            inside += tick.detractors - narrow.rate * tick.answers
        else:
            outside += tick.detractors - crossed.rate * tick.answers
    if inside <= 0:
        return 0.0
    return inside / (inside + max(outside, 0.0))


def explained_share(ticks: Sequence[LeafTick], slice_: Expected, everything: Expected) -> float:
    """Tell how much of all excess detractors of the line lies in a slice, 0 to 1."""
    answers, detractors = sum_within(ticks, slice_.segment)
    inside = max(detractors - slice_.rate * answers, 0.0)
    all_answers, all_detractors = sum_within(ticks, {})
    excess = all_detractors - everything.rate * all_answers
    if inside <= 0:
        return 0.0
    return min(inside / max(excess, inside), 1.0)


def grown_reasons(now: Sequence[Remark], before: Sequence[Remark]) -> tuple[ReasonShare, ...]:
    """The reasons whose share among detractors grew most, at most five."""
    shares, past = _shares(now), _shares(before)
    found = [
        ReasonShare(
            reason=reason,
            share=round(share, 4),
            change=round(share - past.get(reason, 0.0), 4),
        )
        for reason, share in shares.items()
    ]
    found.sort(key=lambda one: (-one.change, -one.share, one.reason))
    return tuple(found[:REASONS])


def sample(remarks: Sequence[Remark]) -> tuple[str, ...]:
    """A few different comments, in the order given, cut at 300 characters."""
    seen: dict[str, None] = {}
    for remark in remarks:
        if remark.comment and remark.comment.strip():
            seen.setdefault(remark.comment.strip()[:LONGEST_COMMENT])
    return tuple(seen)[:COMMENTS]


def _shares(remarks: Sequence[Remark]) -> dict[str, float]:
    named = Counter(reason for remark in remarks for reason in set(remark.reasons))
    return {reason: number / len(remarks) for reason, number in named.items()}
