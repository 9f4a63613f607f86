"""How scores are judged: how many answers suffice, benchmarks, targets, and what is shown live."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from shared.durations import parse_duration
from shared.programme.faults import NotAccepted, one_of
from shared.programme.metrics import METRIC_NAMES, range_of
from shared.programme.written import Written, check_each_once, check_metric
from shared.segments import clean_value, segment_key

DAY: Final = "day"
DIMENSIONS_AT_MOST: Final = 3
_SEGMENT: Final = "values of dimensions, such as {region: EU}"

Aim = tuple[str, str | None, str]  # metric, survey, segment's key
Metric = Annotated[str, BeforeValidator(check_metric)]


def _clean(value: object) -> object:
    """Values as answers carry them: whole numbers are texts."""
    if not isinstance(value, Mapping):
        return value
    cleaned: dict[str, str] = {}
    for name, one in value.items():
        text = str(one) if isinstance(one, int) and not isinstance(one, bool) else one
        text = clean_value(text) if isinstance(text, str) else None
        if text is None:
            raise NotAccepted(f"{one!r} is not a value of a dimension", "a text", at=str(name))
        cleaned[name] = text
    return cleaned


Segment = Annotated[Mapping[str, str], BeforeValidator(_clean)]


def _possible(value: float, info: ValidationInfo) -> float:
    metric = info.data.get("metric")
    if metric is None:
        return value
    low, high = range_of(metric)
    if not low <= value <= high:
        raise NotAccepted(f"{value:g} is not a possible {metric}", f"{low:g} to {high:g}")
    return value


def _numeric(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotAccepted(f"{value!r} is not a number", "a number")
    return value


# stands after `metric` in every model
Value = Annotated[float, BeforeValidator(_numeric), AfterValidator(_possible)]


class Benchmark(Written):
    """What an industry scores, and who says so."""

    metric: Metric = Field(description=one_of(METRIC_NAMES))
    industry: str = Field(min_length=1, max_length=100, description="a text")
    value: Value = Field(description="a score")
    source: str = Field(min_length=1, max_length=300, description="https://… or a citation")
    year: int = Field(ge=2000, le=2100, description="2000 to 2100")

    @field_validator("source")
    @classmethod
    def _safe_address(cls, value: str) -> str:
        if "://" in value and " " not in value:
            parts = urlsplit(value)
            if parts.scheme != "https" or not parts.hostname:
                raise NotAccepted(f"{value!r} is not an address", "https://… or a citation")
        return value


class Scoring(Written):
    """From how many answers on a score is called sufficient, and what others score."""

    sufficient: int = Field(default=30, ge=1, le=100_000)
    benchmarks: tuple[Benchmark, ...] = Field(
        default=(), max_length=200, description="at most 200 entries"
    )

    @field_validator("benchmarks")
    @classmethod
    def _once(cls, value: tuple[Benchmark, ...]) -> tuple[Benchmark, ...]:
        names = [(one.metric, one.industry, one.source, one.year) for one in value]
        for place, name in enumerate(names):
            if name in names[:place]:
                raise NotAccepted(f"{name[1]!r} stands twice", "each one once", at=str(place))
        return value

    def benchmarks_of(self, metric: str) -> tuple[Benchmark, ...]:
        """The benchmarks of a metric, in the order of the file."""
        return tuple(one for one in self.benchmarks if one.metric == metric)


class Gauge(Written):
    """Scores shown to Prometheus: of the segments by `by` within `where`, over a rolling window."""

    metric: Metric = Field(description=one_of(METRIC_NAMES))
    survey: str | None = None
    by: Annotated[tuple[str, ...], AfterValidator(check_each_once)] = Field(
        default=(), max_length=2, description="at most two dimensions"
    )
    where: Segment = Field(default_factory=dict, max_length=3, description=_SEGMENT)
    window: Literal["1h", "24h", "7d", "30d"] = "24h"

    @property
    def length(self) -> timedelta:
        """How long the window is."""
        return parse_duration(self.window)

    @model_validator(mode="after")
    def _a_slice(self) -> "Gauge":
        for name in self.by:
            if name in self.where:
                raise NotAccepted(f"{name!r} stands in by and in where", "one of the two", at="by")
        if len(self.by) + len(self.where) > DIMENSIONS_AT_MOST:
            fault = f"by and where name {len(self.by) + len(self.where)} dimensions"
            raise NotAccepted(fault, f"at most {DIMENSIONS_AT_MOST} together", at="by")
        return self


class Target(Written):
    """What a score should reach: of a metric, of a survey, of a segment."""

    metric: Metric = Field(description=one_of(METRIC_NAMES))
    survey: str | None = None
    segment: Segment = Field(default_factory=dict, max_length=3, description=_SEGMENT)
    value: Value = Field(description="a score")

    @property
    def aim(self) -> Aim:
        """What it is a target for."""
        return self.metric, self.survey, segment_key(self.segment)


def check_targets(value: tuple[Target, ...]) -> tuple[Target, ...]:
    """Refuse two targets for the same thing."""
    seen: dict[Any, int] = {}
    for place, target in enumerate(value):
        first = seen.setdefault(target.aim, place)
        if first != place:
            fault = f"is for the same as targets.{first}"
            raise NotAccepted(fault, "one target for one thing", at=str(place))
    return value


Gauges = Annotated[tuple[Gauge, ...], Field(max_length=20, description="at most 20 entries")]
Targets = Annotated[
    tuple[Target, ...],
    Field(max_length=200, description="at most 200 entries"),
    AfterValidator(check_targets),
]
Clusters = Annotated[tuple[str, ...], Field(max_length=9), AfterValidator(check_each_once)]


def most_specific(
    known: Mapping[Aim, float], metric: str, survey: str | None, segment: Mapping[str, str]
) -> float | None:
    """The target for just this segment of this survey, else for the segment in any survey.

    Else the one for the whole survey, else the one for the whole metric. A target for
    `{region: EU}` says nothing about `{product: X, region: EU}`.
    """
    if not known:
        return None
    for key in (segment_key(segment), segment_key({})):
        for asked in (survey, None):
            value = known.get((metric, asked, key))
            if value is not None:
                return value
    return None
