"""The one table of metrics. Page, scoring and alerts read it; adding a metric is one entry."""

from dataclasses import dataclass
from enum import StrEnum


class Klass(StrEnum):
    """What one answer says about the customer, in every metric."""

    DETRACTOR = "detractor"
    PASSIVE = "passive"
    PROMOTER = "promoter"


class ScoreKind(StrEnum):
    """How many answers become one score."""

    NET = "net"  # 100 * (promoters - detractors) / n
    TOP_SHARE = "top-share"  # 100 * promoters / n
    MEAN = "mean"  # mean of the points


class IntervalKind(StrEnum):
    """Which interval stands beside the score."""

    NET = "net"
    SHARE = "share"
    MEAN = "mean"


Scale = tuple[int, int]


class UnknownMetric(ValueError):
    """No such metric, or not on such a scale; the message names what is accepted."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric on one scale: `lowest..last_detractor`, passives, `first_promoter..highest`."""

    name: str
    scale: Scale
    last_detractor: int
    first_promoter: int
    score: ScoreKind
    interval: IntervalKind

    @property
    def points(self) -> tuple[int, ...]:
        """The points of the scale, lowest first."""
        return tuple(range(self.scale[0], self.scale[1] + 1))

    @property
    def scale_text(self) -> str:
        """The scale as the programme writes it, such as `0-10`."""
        return f"{self.scale[0]}-{self.scale[1]}"

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest score that is possible."""
        if self.score is ScoreKind.NET:
            return -100.0, 100.0
        if self.score is ScoreKind.TOP_SHARE:
            return 0.0, 100.0
        return float(self.scale[0]), float(self.scale[1])

    def class_of(self, score: int) -> Klass:
        """Class of one answer. Raises ValueError outside the scale."""
        if not self.scale[0] <= score <= self.scale[1]:
            raise ValueError(f"{score} is not a whole number from {self.accepted}")
        if score <= self.last_detractor:
            return Klass.DETRACTOR
        return Klass.PROMOTER if score >= self.first_promoter else Klass.PASSIVE

    @property
    def accepted(self) -> str:
        """The scale in words, for error messages."""
        return f"{self.scale[0]} to {self.scale[1]}"


# The first scale of a metric is its default.
METRICS: tuple[Metric, ...] = (
    Metric("nps", (0, 10), 6, 9, ScoreKind.NET, IntervalKind.NET),
    Metric("csat", (1, 5), 2, 4, ScoreKind.TOP_SHARE, IntervalKind.SHARE),
    Metric("csat", (1, 10), 4, 9, ScoreKind.TOP_SHARE, IntervalKind.SHARE),
    Metric("ces", (1, 7), 3, 5, ScoreKind.MEAN, IntervalKind.MEAN),
)
METRIC_NAMES: tuple[str, ...] = tuple(dict.fromkeys(metric.name for metric in METRICS))
_BY_SCALE = {(metric.name, metric.scale): metric for metric in METRICS}


def find_metric(name: str, scale: Scale | list[int]) -> Metric:
    """The entry for a metric on a scale. Raises UnknownMetric."""
    low, high = scale
    found = _BY_SCALE.get((name, (low, high)))
    if found is None:
        raise UnknownMetric(f"{name} on {low}-{high} is not one of {accepted_metrics()}")
    return found


def scales_of(name: str) -> tuple[Scale, ...]:
    """All scales of a metric, its default first. Raises UnknownMetric."""
    scales = tuple(metric.scale for metric in METRICS if metric.name == name)
    if not scales:
        raise UnknownMetric(f"{name!r} is not one of {', '.join(METRIC_NAMES)}")
    return scales


def range_of(name: str) -> tuple[float, float]:
    """The lowest and the highest score that is possible on any scale. Raises UnknownMetric."""
    bounds = [find_metric(name, scale).bounds for scale in scales_of(name)]
    return min(low for low, _ in bounds), max(high for _, high in bounds)


def accepted_metrics() -> str:
    """All metrics with their scales, for error messages."""
    return ", ".join(f"{metric.name} {metric.scale_text}" for metric in METRICS)
