"""Verdicts as replies tell them: one page of groups, or the points of a trend."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, Literal

import msgspec

from services.scoring.api.paging import main_scale, named
from services.scoring.api.reading import Reading
from services.scoring.api.shapes import (
    Aim,
    Before,
    Beside,
    Counts,
    Drawn,
    Mark,
    Other,
    Scored,
    WeightedScore,
)
from services.scoring.domain.comparisons import Compared
from services.scoring.domain.questions import Question
from services.scoring.domain.scores import Figures
from services.scoring.domain.sheets import Sheet
from services.scoring.domain.standing import ranks, standing
from services.scoring.domain.verdicts import NOW, Verdicts
from shared.programme.metrics import ScoreKind

Share = float | msgspec.UnsetType | None


@dataclass(frozen=True)
class Teller:
    """Tells verdicts on the groups of one question; `other` is whom they are compared with."""

    reading: Reading
    question: Question
    sheet: Sheet
    verdicts: Verdicts
    other: dict[str, str] | Literal["rest"] | None = None

    def groups(
        self, places: Sequence[int], weighted: Sequence[WeightedScore | None] | None = None
    ) -> list[Scored]:
        """The groups at these places, each with its weighted score where weights are asked for."""
        tallies = self.sheet.tallies(NOW)
        counts = zip(
            tallies.promoters[places].tolist(),
            tallies.passives[places].tolist(),
            tallies.detractors[places].tolist(),
            strict=True,
        )
        beside = [msgspec.UNSET] * len(places) if weighted is None else weighted
        return [
            self._group(place, Counts(*classes), one)
            for place, classes, one in zip(places, counts, beside, strict=True)
        ]

    def _group(
        self, place: int, counts: Counts, weighted: WeightedScore | msgspec.UnsetType | None
    ) -> Scored:
        verdicts, figures = self.verdicts, self.verdicts.figures
        n, score = int(figures.n[place]), number(figures.score[place])
        interval = interval_of(figures, place)
        segment = named(self.question, self.sheet.segments[place])
        sufficient = n >= self.reading.sufficient
        return Scored(
            segment=segment,
            n=n,
            score=score,
            share_easy=share_easy(self.question.metric, counts, n),
            interval=interval,
            design_effect=float(verdicts.deff[place]),
            sufficient=sufficient,
            counts=counts,
            distribution=self._distribution(place),
            invited=int(verdicts.rates.n[place]),
            response_rate=number(verdicts.rates.score[place]),
            response_rate_interval=interval_of(verdicts.rates, place),
            previous=_before(verdicts.previous, place),
            against=self._against(place),
            shrunk=None if sufficient else self._shrunk(place),
            weighted=weighted,
            target=self._target(segment, score, interval),
            benchmarks=self._benchmarks(score, interval),
        )

    def _distribution(self, place: int) -> tuple[int, ...] | None:
        found = self.sheet.distribution(NOW, place)
        return (0,) * len(main_scale(self.question.metric).points) if found == () else found

    def _against(self, place: int) -> Other | msgspec.UnsetType | None:
        against = self.verdicts.against
        if against is None or self.other is None:
            return msgspec.UNSET
        if named(self.question, self.sheet.segments[place]) == self.other:
            return None
        return Other(
            segment=self.other,
            n=int(against.n[place]),
            score=number(against.score[place]),
            change=number(against.change[place]),
            p_value=number(against.p_value[place]),
            p_adjusted=number(against.p_adjusted[place]),
        )

    def _shrunk(self, place: int) -> Drawn | None:
        shrunk = self.verdicts.shrunk
        score = None if shrunk is None else number(shrunk.score[place])
        if shrunk is None or score is None:
            return None
        return Drawn(
            score=score,
            interval=(float(shrunk.low[place]), float(shrunk.high[place])),
            towards=dict(self.question.where),
            centre=shrunk.centre,
            weight=float(shrunk.weight[place]),
        )

    def _target(
        self, segment: dict[str, str], score: float | None, interval: tuple[float, float] | None
    ) -> Aim | None:
        found = standing(score, interval, target_of(self.reading, self.question, segment))
        return None if found is None else Aim(found.value, found.difference, found.met)

    def _benchmarks(
        self, score: float | None, interval: tuple[float, float] | None
    ) -> list[Beside]:
        marks = self.reading.scores.benchmarks_of(self.question.metric)
        return [Beside(one.difference, one.stands) for one in ranks(score, interval, marks)]


def target_of(reading: Reading, question: Question, segment: dict[str, str]) -> float | None:
    """The target for a group, which is that of its segment within `where`."""
    whole = dict(question.where) | segment
    return reading.segments.target_for(question.metric, question.survey, whole)


def marks_of(reading: Reading, metric: str) -> list[Mark]:
    """The benchmarks of a metric."""
    found = reading.scores.benchmarks_of(metric)
    return [Mark(one.industry, one.value, one.source, one.year) for one in found]


def share_easy(metric: str, counts: Counts, n: int) -> Share:
    """The share of promoters, for metrics whose score is a mean."""
    if main_scale(metric).score is not ScoreKind.MEAN:
        return msgspec.UNSET
    return 100 * counts.promoters / n if n else None


def number(value: Any) -> float | None:
    """A number, or None for what is not one."""
    found = float(value)
    return None if isnan(found) else found


def interval_of(figures: Figures, place: Any) -> tuple[float, float] | None:
    """The interval at this place; None where there is no score."""
    low, high = float(figures.low[place]), float(figures.high[place])
    return None if isnan(low) else (low, high)


def _before(previous: Compared, place: int) -> Before | None:
    score = number(previous.score[place])
    if score is None:
        return None
    return Before(
        n=int(previous.n[place]),
        score=score,
        change=number(previous.change[place]),
        p_value=number(previous.p_value[place]),
        p_adjusted=number(previous.p_adjusted[place]),
    )
