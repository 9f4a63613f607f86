"""What the judge shows of itself, after each commit."""

from collections.abc import Iterable
from datetime import datetime

from prometheus_client import Gauge

from services.alerts.domain.alerts import Change
from services.alerts.domain.answers import Line
from services.alerts.domain.cases import Docket
from services.alerts.domain.promise import Audit, Weekly
from services.alerts.metrics import (
    AUDITED,
    AUDITED_AT,
    AUDITED_LINE,
    ENDED,
    FULL_DIMENSIONS,
    JUDGED_TO,
    OPEN,
    PROMISED,
    RAISED,
    STREAMS,
)
from services.alerts.store.fleet import Fleet


def observe_open(line: Line, docket: Docket) -> None:
    """Show how many alerts are open."""
    OPEN.labels(*line).set(len(docket.cases))


def observe_docket(line: Line, docket: Docket) -> None:
    """Count what was raised and what ended."""
    observe_open(line, docket)
    for alert, change in docket.changes:
        if change is Change.OPENED:
            RAISED.labels(alert.severity, str(alert.historic).lower()).inc()
        elif alert.state.is_over:
            ENDED.labels(alert.state).inc()


def observe_fleets(fleets: Iterable[Fleet]) -> None:
    """Show how much is watched."""
    held = list(fleets)
    STREAMS.set(sum(len(fleet.state) for fleet in held))
    FULL_DIMENSIONS.set(len({name for f in held for name in f.catalogue.full_dimensions()}))


def forget_observed() -> None:
    """Show nothing that another process shows now."""
    OPEN.clear()
    STREAMS.set(0)
    FULL_DIMENSIONS.set(0)


def observe_time(judged_at: datetime) -> None:
    """Show how far event time has come."""
    JUDGED_TO.set(judged_at.timestamp())


def observe_audit(audit: Audit) -> None:
    """Show what came beside what was promised."""
    PROMISED.set(audit.all.promised_per_week)
    AUDITED_AT.set(audit.made_at.timestamp())
    AUDITED_LINE.clear()
    _show(AUDITED, (), audit.all.alarms_per_week, "all")
    _show(AUDITED, (), audit.all.false_alarms_per_week, "false")
    for part in audit.lines:
        name = (part.metric or "", part.survey or "")
        _show(AUDITED_LINE, name, part.alarms_per_week, "all")
        _show(AUDITED_LINE, name, part.false_alarms_per_week, "false")


def _show(gauge: Gauge, name: tuple[str, ...], rate: Weekly, kind: str) -> None:
    low, high = rate.interval
    for bound, value in (("estimate", rate.value), ("low", low), ("high", high)):
        gauge.labels(*name, kind, bound).set(value)
