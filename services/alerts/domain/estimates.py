"""The numbers of an alert that people read: rates, rise, intervals, severity."""

from dataclasses import dataclass
from enum import StrEnum
from math import sqrt

from services.alerts.domain.facts import Rates, Rise
from services.alerts.domain.onset import Change

Z95 = 1.959963984540054
CRITICAL_PER_HOUR = 1.0
WARNING_PER_HOUR = 1 / 24


class Severity(StrEnum):
    """How soon somebody should look."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Shares (0 to 1), rise in points; intervals at 95 %."""

    baseline: float
    current: float
    current_interval: tuple[float, float]
    rise_points: float
    rise_interval: tuple[float, float]


def wilson(detractors: float, answers: float) -> tuple[float, float]:
    """Score interval of a share at 95 % (Wilson 1927); counts may be effective. (0, 1) of none."""
    if answers <= 0:
        return 0.0, 1.0
    share = min(max(detractors / answers, 0.0), 1.0)
    z2 = Z95 * Z95
    centre = (share + z2 / (2 * answers)) / (1 + z2 / answers)
    half = Z95 * sqrt(share * (1 - share) / answers + z2 / (4 * answers * answers))
    half /= 1 + z2 / answers
    return max(centre - half, 0.0), min(centre + half, 1.0)


def estimate(
    *,
    detractors: float,
    answers: float,
    baseline_rate: float,
    baseline_mass: float,
    dispersion: float = 1.5,
) -> Estimate:
    """Estimate an excursion of `detractors` in `answers` (raw) against its baseline.

    `baseline_mass`: effective answers behind the baseline. Intervals count answers divided by the
    over-dispersion. The rise's is Newcombe's hybrid score interval for a difference of independent
    shares (Newcombe 1998, method 10). The rise is as seen: an alarm overstates it (`shrink`).
    """
    current = detractors / answers if answers > 0 else baseline_rate
    low, high = wilson(detractors / dispersion, answers / dispersion)
    base_low, base_high = wilson(baseline_rate * baseline_mass, baseline_mass)
    rise = current - baseline_rate
    down = sqrt((current - low) ** 2 + (base_high - baseline_rate) ** 2)
    up = sqrt((high - current) ** 2 + (baseline_rate - base_low) ** 2)
    return Estimate(
        baseline=baseline_rate,
        current=current,
        current_interval=(low, high),
        rise_points=100 * rise,
        rise_interval=(100 * max(rise - down, -1.0), 100 * min(rise + up, 1.0)),
    )


def shrink(change: Change, baseline_rate: float, baseline_mass: float) -> Rise:
    """The rise to a share after a change, in points.

    Both shares' intervals are combined as in Newcombe's (MOVER, Zou and Donner 2008).
    """
    base_low, base_high = wilson(baseline_rate * baseline_mass, baseline_mass)
    rise, (low, high) = change.share - baseline_rate, change.interval
    down = sqrt((change.share - low) ** 2 + (base_high - baseline_rate) ** 2)
    up = sqrt((high - change.share) ** 2 + (baseline_rate - base_low) ** 2)
    interval = (100 * max(rise - down, -1.0), 100 * min(rise + up, 1.0))
    return Rise(points=100 * rise, interval=interval)


def count(
    *, detractors: float, answers: float, baseline_rate: float, dispersion: float, hours: float
) -> tuple[Rates, float]:
    """The shares of a segment since its onset, and the customers hurt per hour."""
    current = detractors / answers if answers > 0 else baseline_rate
    interval = wilson(detractors / dispersion, answers / dispersion)
    hurt = hurt_per_hour(
        detractors=detractors, answers=answers, baseline_rate=baseline_rate, hours=hours
    )
    return Rates(baseline=baseline_rate, current=current, interval=interval), hurt


def hurt_per_hour(
    *, detractors: float, answers: float, baseline_rate: float, hours: float
) -> float:
    """Detractors above what the baseline explains, by hour since the onset (at least one hour)."""
    return max(detractors - baseline_rate * answers, 0.0) / max(hours, 1.0)


def severity(hurt: float) -> Severity:
    """Grade by customers hurt per hour: critical from one an hour, warning from one a day."""
    if hurt >= CRITICAL_PER_HOUR:
        return Severity.CRITICAL
    return Severity.WARNING if hurt >= WARNING_PER_HOUR else Severity.INFO
