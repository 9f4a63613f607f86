"""`GET /v1/experiments`: what each variant brought, and whether that is more than chance."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from fastapi import APIRouter, Depends, Response

from services.trigger.domain.comparing import (
    Compared,
    Counted,
    Difference,
    compare,
    in_words,
    rate_of,
    score_of,
)
from services.trigger.domain.experiments import find_experiment
from services.trigger.domain.sequences import LEVEL
from services.trigger.store.experiments import ExperimentStore, Subject
from shared.errors import NotFound
from shared.keys import require_scope
from shared.programme.faults import one_of
from shared.programme.metrics import Metric
from shared.programme.models import Programme
from shared.web import Page
from shared.web.app import json_response

Interval = tuple[float, float] | None


class Rate(msgspec.Struct, frozen=True):
    rate: float | None
    interval: Interval


class Score(msgspec.Struct, frozen=True):
    score: float | None
    interval: Interval


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`pending` may still be answered; `counted` are the customers whose time to answer is over."""

    variant: str
    invited: int
    pending: int
    counted: int
    answered: int
    response_rate: Rate
    counts: Mapping[str, int]
    score: Score


class Apart(msgspec.Struct, frozen=True, kw_only=True):
    """How far one variant is from the first, over so many pairs of customers."""

    pairs: int
    difference: float | None
    interval: Interval
    decided: bool


class Versus(msgspec.Struct, frozen=True, kw_only=True, rename={"first": "with"}):
    """One variant beside the first."""

    variant: str
    first: str
    response_rate: Apart
    score: Apart


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One experiment; `running`: it stands in the programme."""

    name: str
    trigger: str
    survey: str
    metric: str
    scale: tuple[int, int]
    running: bool
    since: datetime | None


class Shown(Listed, frozen=True, kw_only=True):
    """`GET /v1/experiments/{name}`."""

    as_of: datetime
    level: float
    variants: list[Outcome]
    compared: list[Versus]
    sentence: str


@dataclass(frozen=True, slots=True)
class Laboratory:
    """The experiments of the programme, and those that invitations still tell of."""

    store: ExperimentStore
    programme: Programme

    async def subjects(self) -> Mapping[str, Subject]:
        """Every experiment by name."""
        return {**self.planned(), **await self.store.known()}

    def planned(self) -> Mapping[str, Subject]:
        """Those of the programme, before anything goes out."""
        found: dict[str, Subject] = {}
        for trigger in self.programme.triggers.values():
            if trigger.experiment is not None:
                name, rules = trigger.experiment.name, self.programme.surveys[trigger.survey].rules
                found[name] = Subject(name, trigger.key, trigger.survey, rules, None)
        return found

    def variants(self, name: str) -> tuple[str, ...]:
        """The variants that the programme has, the first of which is compared with."""
        found = find_experiment(self.programme, name)
        return tuple(found.variants) if found is not None else ()


def build_experiments(laboratory: Laboratory, clock: Callable[[], datetime]) -> APIRouter:
    """Experiments as a list and one by one."""
    router = APIRouter(
        tags=["experiments"], dependencies=[Depends(require_scope("decisions:read"))]
    )

    @router.get("/v1/experiments", summary="Experiments, by name")
    async def experiments() -> Response:
        subjects = await laboratory.subjects()
        items = [_listed(subjects[name], laboratory) for name in sorted(subjects)]
        return json_response(Page(items=[Listed(**each) for each in items]))

    @router.get("/v1/experiments/{name}", summary="What each variant brought, and how sure that is")
    async def experiment(name: str) -> Response:
        subjects = await laboratory.subjects()
        if (subject := subjects.get(name)) is None:
            raise NotFound(f"there is no such experiment; known: {one_of(sorted(subjects))}")
        now = clock()
        counted = await laboratory.store.counted(subject, laboratory.variants(name), now)
        compared = compare(counted, subject.metric)
        shown = Shown(
            **_listed(subject, laboratory),
            as_of=now,
            level=LEVEL,
            variants=[_outcome(key, each, subject.metric) for key, each in counted.items()],
            compared=[_versus(each) for each in compared],
            sentence=in_words(counted, compared, subject.metric),
        )
        return json_response(shown)

    return router


def _listed(subject: Subject, laboratory: Laboratory) -> dict[str, Any]:
    return {
        "name": subject.name,
        "trigger": subject.trigger,
        "survey": subject.survey,
        "metric": subject.metric.name,
        "scale": subject.metric.scale,
        "running": bool(laboratory.variants(subject.name)),
        "since": subject.since,
    }


def _outcome(variant: str, counted: Counted, metric: Metric) -> Outcome:
    rate, score = rate_of(counted), score_of(counted, metric)
    counts = dict.fromkeys(("promoters", "passives", "detractors"), 0)
    for point, n in counted.points.items():
        counts[f"{metric.class_of(point)}s"] += n
    return Outcome(
        variant=variant,
        invited=counted.invited,
        pending=counted.pending,
        counted=counted.counted,
        answered=counted.answered,
        response_rate=Rate(rate.mean, rate.interval),
        counts=counts,
        score=Score(score.mean, score.interval),
    )


def _versus(compared: Compared) -> Versus:
    return Versus(
        variant=compared.variant,
        first=compared.first,
        response_rate=_apart(compared.rate),
        score=_apart(compared.score),
    )


def _apart(found: Difference) -> Apart:
    return Apart(
        pairs=found.pairs,
        difference=found.difference,
        interval=found.interval,
        decided=found.decided,
    )
