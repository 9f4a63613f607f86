"""What is behind a rise: where the excess is, which reasons grew, what people wrote."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final, NamedTuple

import numpy as np
from scipy.special import expit, logit

from services.alerts.domain.candidates import Least
from services.alerts.domain.estimates import wilson
from services.alerts.domain.facts import Location, ReasonShare, Slice
from services.alerts.domain.lattice import log_likelihood_ratio
from services.alerts.domain.leaves import Leaves, Segment, Sums
from services.alerts.domain.normal import Scene
from services.alerts.domain.scan import scan, weigh
from shared.segments import segment_key

REASONS: Final = 5
COMMENTS: Final = 3
LONGEST_COMMENT: Final = 300
JOINS_AT: Final = 0.5  # share of a stream's excess
BELONGS_AT: Final = 0.2
GIVEN_BY_AT_LEAST: Final = 2


@dataclass(frozen=True, kw_only=True)
class Crossed:
    """A stream that crossed its threshold, and what is normal in it. Counts are raw."""

    segment: dict[str, str]
    rate: float
    dispersion: float
    margin: float  # nats above the threshold
    answers: float
    detractors: float


class Remark(NamedTuple):
    """What one detractor said."""

    reasons: tuple[str, ...]
    comment: str | None


def locate(scene: Scene, stream: Crossed, held: Sequence[Segment], least: Least) -> Location | None:
    """Name the slices behind a stream's rise, the largest share first; None if none stands out.

    `held`: slices of other alerts, explained already. A slice belongs to the stream if it lies in
    it or holds a fifth of its excess. Shares are of all excess that `held` leaves.
    """
    leaves = scene.leaves.explained_by(held)
    phi = stream.dispersion
    found = scan(leaves.tempered(1 / phi), Least(least.answers / phi, least.detractors / phi))
    own = [one.segment for one in found.slices if _belongs(leaves, one.segment, stream.segment)]
    if not own:
        return None
    shares = {segment_key(one.segment): one.share for one in weigh(leaves, own).slices}
    return share_out(leaves, sorted(own, key=lambda segment: -shares[segment_key(segment)]))


def share_out(leaves: Leaves, segments: Sequence[Segment]) -> Location:
    """The share of all excess in each of these slices; a leaf counts for the first it is in."""
    weighed = weigh(leaves, segments)
    return Location(
        slices=tuple(
            Slice(segment=one.segment, share=round(one.share, 4)) for one in weighed.slices
        ),
        explains=round(weighed.explains, 4),
    )


def is_fired_by_rest(stream: Crossed, before: Sums, after: Sums) -> bool:
    """Whether a stream fires by itself once open alerts explain what they can of it.

    `after`: the stream's sums with what they explain taken as normal; the evidence falls by as much
    as the likelihood ratio of the stream does.
    """
    lost = _nats(before, stream.dispersion) - _nats(after, stream.dispersion)
    return stream.margin >= lost and after.excess > 0


def is_inside(stream: Crossed, segment: Segment, normal: float, current: float) -> bool:
    """Whether a stream within an alert's segment has risen no more than that has."""
    if not segment.items() <= stream.segment.items():
        return False
    shift = _odds(current) - _odds(normal)
    risen = float(expit(_odds(stream.rate) + max(shift, 0.0)))
    before = Sums(stream.answers, stream.detractors, stream.answers * stream.rate)
    return not is_fired_by_rest(stream, before, before._replace(expected=stream.answers * risen))


def share_within(leaves: Leaves, stream: Segment, segments: Sequence[Segment]) -> float:
    """The share of a stream's excess that lies in these slices, 0 to 1."""
    inside, held = leaves.within(stream), np.zeros(len(leaves), bool)
    for segment in segments:
        held |= leaves.within(segment)
    shared = leaves.sums(inside & held).excess
    if shared <= 0:
        return 0.0
    return shared / (shared + max(leaves.sums(inside & ~held).excess, 0.0))


def grown_reasons(
    now: Sequence[Remark], before: Sequence[Remark], around: Sequence[Remark] = ()
) -> tuple[ReasonShare, ...]:
    """The reasons whose share among detractors grew most surely, at most five.

    Ranked by the lower end of the change's 95 % interval (Newcombe 1998, method 10), so that one
    answer in three does not come before thirty in a hundred. At least two detractors gave each.
    `around`: what all detractors of the line said since the onset, those of the slice among them.
    """
    named, past, everywhere = _count(now), _count(before), _count(around)
    found = []
    for reason, n in named.items():
        share, was = n / len(now), past[reason] / max(len(before), 1)
        interval = _difference((n, len(now)), (past[reason], len(before)))
        if n < GIVEN_BY_AT_LEAST or share <= was:
            continue
        rest = len(around) - len(now)
        found.append(
            ReasonShare(
                reason=reason,
                share=round(share, 4),
                change=round(share - was, 4),
                n=n,
                interval=(round(interval[0], 4), round(interval[1], 4)),
                elsewhere=round(max(everywhere[reason] - n, 0) / rest, 4) if rest > 0 else None,
            )
        )
    found.sort(key=lambda one: (-(one.interval or (0.0, 0.0))[0], -one.share, one.reason))
    return tuple(found[:REASONS])


def sample(remarks: Sequence[Remark]) -> tuple[str, ...]:
    """A few different comments, in the order given, cut at 300 characters."""
    seen: dict[str, str] = {}
    for remark in remarks:
        if remark.comment and remark.comment.strip():
            text = remark.comment.strip()
            seen.setdefault(" ".join(text.casefold().split()), text[:LONGEST_COMMENT])
    return tuple(seen.values())[:COMMENTS]


def _belongs(leaves: Leaves, segment: Mapping[str, str], stream: Segment) -> bool:
    return stream.items() <= segment.items() or (
        share_within(leaves, stream, [segment]) >= BELONGS_AT
    )


def _nats(sums: Sums, dispersion: float) -> float:
    answers, detractors, expected = (np.array([one / dispersion]) for one in sums)
    return max(float(log_likelihood_ratio(answers, detractors, expected)[0]), 0.0)


def _odds(share: float) -> float:
    return float(logit(np.clip(share, 1e-4, 1 - 1e-4)))


def _count(remarks: Sequence[Remark]) -> Counter[str]:
    return Counter(reason for remark in remarks for reason in set(remark.reasons))


def _difference(now: tuple[int, int], before: tuple[int, int]) -> tuple[float, float]:
    (a, low, high), (b, base_low, base_high) = (
        (k / max(n, 1), *wilson(k, n)) for k, n in (now, before)
    )
    down = sqrt((a - low) ** 2 + (base_high - b) ** 2)
    up = sqrt((high - a) ** 2 + (b - base_low) ** 2)
    return a - b - down, a - b + up
