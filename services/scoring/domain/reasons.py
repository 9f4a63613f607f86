"""NPS+: why each class says what it says, and how many passives speak like detractors.

The idea, to tell who will leave by comparing the reasons of passives with those of detractors, is
QuestionPro's (white paper "NPS & Churn: Isolate, Identify & Predict"); the definitions below are
Earshot's and stand in docs/scores.md. A reason counts once an answer. Shares are of the answers
of a class that give any reason, on 0..1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.scoring.domain.shares import Share, estimate_share, share_of
from services.scoring.domain.voices import SHOWN, Group
from shared.intervals import LEVEL, p_value
from shared.programme.metrics import Klass

LEAST = 5  # detractors who must give a reason before it can be one of theirs


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: who gives it, and its place in each class (1: most given; None: by nobody)."""

    reason: str
    counts: Mapping[Klass, int]
    shares: Mapping[Klass, Share | None]
    rank: Mapping[Klass, int | None]
    overlap: Share | None
    of_detractors: bool


@dataclass(frozen=True, slots=True)
class Account:
    """All that the reasons of one group tell.

    `dropping` are the passives who give a detractors' reason; the share is None where nobody
    can tell: no passive gives a reason, or no reason is known to be the detractors'.
    """

    heard: Mapping[Klass, int]  # answers that give a reason
    reasons: Sequence[Reason]
    unnamed: Mapping[Klass, int]  # answers that give a reason that is not named
    overlap: float | None
    risk: Share | None
    dropping: int


def account_of(group: Group) -> Account:
    """Judge the reasons of one group."""
    voices = {klass: group.voices(klass) for klass in Klass}
    counts = {klass: said.by_reason() for klass, said in voices.items()}
    heard = {klass: said.with_reasons for klass, said in voices.items()}
    theirs = detractors_reasons(group, counts, heard)
    ranks = {klass: _ranks(counts[klass][: len(group.reasons)]) for klass in Klass}
    dropping = voices[Klass.PASSIVE].giving(sum(1 << place for place in theirs))
    return Account(
        heard=heard,
        reasons=[
            _reason(
                name,
                {klass: counts[klass][place] for klass in Klass},
                heard,
                {klass: ranks[klass][place] for klass in Klass},
                of_detractors=place in theirs,
            )
            for place, name in enumerate(group.reasons)
        ],
        unnamed={klass: counts[klass][SHOWN] for klass in Klass},
        overlap=_overlap(counts[Klass.PASSIVE], counts[Klass.DETRACTOR]),
        risk=share_of(dropping, heard[Klass.PASSIVE]) if theirs else None,
        dropping=dropping,
    )


def detractors_reasons(
    group: Group, counts: Mapping[Klass, Sequence[int]], heard: Mapping[Klass, int]
) -> frozenset[int]:
    """Which of the reasons are the detractors': given more often by them than by promoters.

    At least `LEAST` detractors give it, and the difference of the two shares is above 0 with an
    error of 5 % over all reasons tested together (Bonferroni; Dunn 1961, J. Am. Stat. Assoc. 56,
    52-64). Passives are not looked at, so their share is not flattered by the choice. Where fewer
    than `LEAST` promoters give any reason at all, as where they are not asked for one, the shares
    compared are of all answers of the two classes.
    """
    bad, good = counts[Klass.DETRACTOR], counts[Klass.PROMOTER]
    of = {klass: heard[klass] for klass in Klass}
    if heard[Klass.PROMOTER] < LEAST:
        of = {klass: group.voices(klass).n for klass in Klass}
    tested = [place for place in range(len(group.reasons)) if bad[place] >= LEAST]
    return frozenset(
        place
        for place in tested
        if _exceeds(
            (bad[place], of[Klass.DETRACTOR]),
            (good[place], of[Klass.PROMOTER]),
            (1 - LEVEL) / len(tested),
        )
    )


def _exceeds(left: tuple[int, int], right: tuple[int, int], error: float) -> bool:
    """Whether the first share is the greater, each told as (count, n); Agresti and Caffo (2000)."""
    one, other = (estimate_share(*told, 0.5) for told in (left, right))
    return one.centre > other.centre and p_value(one, other) < error


def _reason(
    name: str,
    counts: Mapping[Klass, int],
    heard: Mapping[Klass, int],
    rank: Mapping[Klass, int | None],
    *,
    of_detractors: bool,
) -> Reason:
    shares = {klass: share_of(counts[klass], heard[klass]) for klass in Klass}
    overlap = _lesser(shares[Klass.PASSIVE], shares[Klass.DETRACTOR])
    return Reason(name, counts, shares, rank, overlap, of_detractors)


def _lesser(left: Share | None, right: Share | None) -> Share | None:
    """The lesser of two shares; its interval errs in at most 7.5 % (three bounds of 2.5 %)."""
    if left is None or right is None:
        return None
    low, high = (min(pair) for pair in zip(left.interval, right.interval, strict=True))
    return Share(min(left.share, right.share), (low, high))


def _overlap(left: Sequence[int], right: Sequence[int]) -> float | None:
    """The overlapping coefficient of two profiles (Weitzman 1970; Inman and Bradley 1989).

    What is not named is not held to be shared, so with such reasons it is a lower bound.
    """
    if not any(left) or not any(right):
        return None
    pairs = zip(left[:SHOWN], right[:SHOWN], strict=True)
    return sum(min(one / sum(left), other / sum(right)) for one, other in pairs)


def _ranks(counts: Sequence[int]) -> list[int | None]:
    """Places from 1; equals share the better one."""
    ordered = sorted(counts, reverse=True)
    return [ordered.index(count) + 1 if count else None for count in counts]
