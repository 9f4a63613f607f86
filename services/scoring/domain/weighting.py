"""Non-response weighting: what a group would score had all its strata answered alike.

Post-stratification (Holt and Smith 1979, J. R. Stat. Soc. A 142, 33-46): each stratum's answers
stand for the share of the stratum in what is known of everybody, not in who answered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.scoring.domain.questions import Segment
from services.scoring.domain.sheets import Ints
from shared.tally import Tallies

FEWEST: Final = 5  # answers of a stratum that stands for itself

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Strata:
    """The strata of many groups, one entry a stratum.

    `group`: the place of its group; `known`: how many there are to hear from, heard or not.
    """

    group: Ints
    known: Floats
    tallies: Tallies


@dataclass(frozen=True)
class Weighted:
    """One entry a group.

    `tallies`: the weighted shares of the classes, times the effective n, so that every formula
    for answers takes them. `effective_n`: (Σw)² / Σw² (Kish 1965, Survey Sampling, 11.7), never
    above the plain n. `uncovered`: the share of the known in strata that nobody answers for.
    `strata`: how many stand for themselves. `known`: the denominator; where it is 0, nothing is
    weighted and the effective n is 0.
    """

    tallies: Tallies
    effective_n: Floats
    uncovered: Floats
    strata: Ints
    known: Floats


def strata_of(
    groups: Sequence[Segment],
    segments: Sequence[Segment],
    tallies: Tallies,
    known: Mapping[Segment, int],
) -> Strata:
    """The strata of `groups`: segments whose first values are a group's, the rest the stratum's.

    `known` may hold strata that nobody answered from.
    """
    width = len(groups[0]) if groups else 0
    place_of = {group: place for place, group in enumerate(groups)}
    row_of = {segment: row for row, segment in enumerate(segments)}
    named = [one for one in dict.fromkeys([*segments, *known]) if one[:width] in place_of]
    rows = np.array([row_of.get(one, -1) for one in named], np.int64)
    absent = rows < 0
    fields = (
        np.where(absent, 0, getattr(tallies, name)[rows]) if len(segments) else np.zeros(len(rows))
        for name in _FIELDS
    )
    return Strata(
        np.array([place_of[one[:width]] for one in named], np.int64),
        np.array([known.get(one, 0) for one in named], np.float64),
        Tallies(*fields),
    )


def weigh(strata: Strata, groups: int) -> Weighted:
    """Weigh each group by its strata.

    Strata with fewer than 5 answers are collapsed into one a group, for a stratum of one answer
    would speak for all of its own. Answers of strata of which nothing is known count for nothing.
    """
    one = _collapsed(strata, groups)
    n = one.tallies.n.astype(np.float64)
    heard = (n > 0) & (one.known > 0)
    known = _sums(one.group, one.known, groups)
    covered = _sums(one.group, np.where(heard, one.known, 0.0), groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(heard, one.known / covered[one.group], 0.0)
        per_answer = np.where(heard, share / n, 0.0)
        spread = _sums(one.group, share * per_answer, groups)
        effective = np.where(spread > 0, 1 / spread, 0.0)
        uncovered = np.where(known > 0, 1 - covered / known, 0.0)
    sums = (
        effective * _sums(one.group, per_answer * getattr(one.tallies, name), groups)
        for name in _FIELDS
    )
    stand = np.bincount(one.group[heard], minlength=groups)
    return Weighted(Tallies(*sums), effective, uncovered, stand, known)


_FIELDS: Final = ("promoters", "passives", "detractors", "total", "squares")


def _collapsed(strata: Strata, groups: int) -> Strata:
    small = strata.tallies.n < FEWEST
    at, own = strata.group[small], ~small
    together = (_sums(at, getattr(strata.tallies, name)[small], groups) for name in _FIELDS)
    fields = (
        np.concatenate([getattr(strata.tallies, name)[own], rest])
        for name, rest in zip(_FIELDS, together, strict=True)
    )
    known = _sums(at, strata.known[small], groups)
    return Strata(
        np.concatenate([strata.group[own], np.arange(groups)]),
        np.concatenate([strata.known[own], known]),
        Tallies(*fields),
    )


def _sums(group: Ints, values: NDArray[Any], groups: int) -> Floats:
    return np.bincount(group, values, groups).astype(np.float64)
