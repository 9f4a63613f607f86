"""The programme: what the operator decides, as frozen models."""

from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from shared.programme.alarms import AlertPolicy, Destination, Evidence
from shared.programme.asking import NEVER_QUIET, Cap, Channel, Hours, QuietHours
from shared.programme.scoring import (
    DAY,
    Aim,
    Benchmark,
    Clusters,
    Gauge,
    Gauges,
    Scoring,
    Target,
    Targets,
    most_specific,
)
from shared.programme.surveys import Kind, Mail, Survey
from shared.programme.texts import Texts
from shared.programme.triggers import Trigger, schedule_of
from shared.programme.written import Written, check_names
from shared.segments import Lattice

__all__ = [
    "AlertPolicy",
    "Benchmark",
    "Cap",
    "Channel",
    "Destination",
    "Dimension",
    "Evidence",
    "Gauge",
    "Kind",
    "Mail",
    "Programme",
    "Scoring",
    "Segmentation",
    "Survey",
    "Target",
    "Texts",
    "Trigger",
]

DOTTED = r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$"


class Dimension(Written):
    """One dimension; `path` is the place of its value in the event's data."""

    path: str | None = Field(default=None, alias="from", pattern=DOTTED)

    @model_validator(mode="before")
    @classmethod
    def _nothing_said(cls, value: object) -> object:
        return {} if value is None else value


class Segmentation(Written):
    """The dimensions and pairs by which answers are counted, and what is said about segments.

    `clusters`: what answers are alike by, `day` (of the calendar) or dimensions.
    """

    dimensions: Mapping[str, Dimension] = Field(default_factory=dict, max_length=8)
    pairs: tuple[tuple[str, str], ...] = Field(default=(), max_length=28)
    clusters: Clusters = (DAY,)
    gauges: Gauges = ()
    targets: Targets = ()

    @field_validator("dimensions", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return check_names(value, "a dimension")

    @cached_property
    def paths(self) -> Mapping[str, str | None]:
        """Dimension to path, as `shared.segments` takes it."""
        return {name: dimension.path for name, dimension in self.dimensions.items()}

    @cached_property
    def lattice(self) -> Lattice:
        """The cells in which an answer counts."""
        return Lattice(tuple(self.dimensions), self.pairs)

    @cached_property
    def _targets(self) -> Mapping[Aim, float]:
        return {target.aim: target.value for target in self.targets}

    def target_for(
        self, metric: str, survey: str | None, segment: Mapping[str, str]
    ) -> float | None:
        """The most specific target, as `most_specific` says; None where nobody set one."""
        return most_specific(self._targets, metric, survey, segment)


class Programme(Written):
    """The whole of it, and the digest by which decisions name it."""

    brand: str
    languages: tuple[str, ...]
    timezone: str
    constants: Mapping[str, str]
    consent_required: tuple[Channel, ...] = ()
    quiet_hours: Hours = None
    caps: tuple[Cap, ...] = ()
    surveys: Mapping[str, Survey]
    triggers: Mapping[str, Trigger]
    segments: Segmentation
    scores: Scoring = Scoring()
    alerts: AlertPolicy
    digest: str

    @property
    def zone(self) -> ZoneInfo:
        """The programme's time zone."""
        return ZoneInfo(self.timezone)

    @cached_property
    def words(self) -> Mapping[str, str]:
        """What `{brand}` and the constants stand for in page texts."""
        return {**self.constants, "brand": self.brand}

    @cached_property
    def triggers_of(self) -> Mapping[str, tuple[Trigger, ...]]:
        """Event type to the triggers that listen to it, in the order of the file; schedules too."""
        found: dict[str, tuple[Trigger, ...]] = {}
        for trigger in (*self.triggers.values(), *self.schedules.values()):
            for kind in trigger.listens_to:
                found[kind] = (*found.get(kind, ()), trigger)
        return found

    @cached_property
    def schedules(self) -> Mapping[str, Trigger]:
        """The relational surveys, each as a trigger of the same name."""
        surveys = self.surveys.values()
        return {s.key: schedule_of(s) for s in surveys if s.kind is Kind.RELATIONAL}

    @cached_property
    def group_dimensions(self) -> frozenset[str]:
        """The dimensions whose groups of customers caps limit."""
        return frozenset(name for cap in self.caps if cap.of_group for name in cap.dimensions)

    @cached_property
    def cancelled_by(self) -> Mapping[str, tuple[str, ...]]:
        """Event type to the triggers whose questions it makes pointless."""
        found: dict[str, tuple[str, ...]] = {}
        for trigger in self.triggers.values():
            for kind in trigger.cancel_on:
                found[kind] = (*found.get(kind, ()), trigger.key)
        return found

    def hours_of(self, survey: Survey) -> QuietHours:
        """The survey's own quiet hours, else the programme's."""
        return survey.quiet_hours or self.quiet_hours or NEVER_QUIET

    def delay_of(self, trigger: Trigger) -> timedelta:
        """The trigger's own delay, else its survey's."""
        return self.surveys[trigger.survey].delay if trigger.delay is None else trigger.delay

    def language_for(self, locale: str | None) -> str:
        """`de-AT` means `de`; what the programme does not speak means its first language."""
        short = (locale or "").replace("_", "-").partition("-")[0].lower()
        return short if short in self.languages else self.languages[0]
