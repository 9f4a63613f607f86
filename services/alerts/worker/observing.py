"""What the judge shows of itself, after each commit."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from itertools import product

import structlog

from services.alerts.domain.alerts import Change, State
from services.alerts.domain.answers import Line
from services.alerts.domain.cases import Docket
from services.alerts.domain.estimates import Severity
from services.alerts.domain.promise import Audit, Weekly
from services.alerts.metrics import (
    AUDITED,
    AUDITED_AT,
    AUDITED_LINE,
    ENDED,
    FULL_DIMENSIONS,
    JUDGED_TO,
    LOOKS_DUE,
    OPEN,
    PROMISED,
    RAISED,
    STREAMS,
    WAITING,
)
from services.alerts.store.fleet import Fleet
from shared.metrics import Gauge

_log = structlog.get_logger()
_open: dict[Line, Counter[tuple[Severity, State]]] = {}
# shown from the start: a series that begins with the first alert would hide it from `increase`
for _raised in product(Severity, ("true", "false")):
    RAISED.labels(*_raised)


def observe_open(line: Line, docket: Docket) -> None:
    """Show how many alerts are not over."""
    before = _open.get(line, Counter())
    now = Counter((case.alert.severity, case.alert.state) for case in docket.cases.values())
    for kind in product(Severity, (State.OPEN, State.ACKNOWLEDGED)):
        OPEN.labels(*line, *kind).inc(now[kind] - before[kind])  # lines may share a series
    _open[line] = now


def observe_docket(line: Line, docket: Docket) -> None:
    """Count what was raised and what ended."""
    observe_open(line, docket)
    for alert, change in docket.changes:
        if change is Change.OPENED:
            RAISED.labels(alert.severity, str(alert.historic).lower()).inc()
        elif alert.state.is_over:
            ENDED.labels(alert.state).inc()


def log_waiting(line: Line, before: int, now: int) -> None:
    """Say it when streams begin to wait for room among a minute's alerts, and when none does."""
    if now and not before:
        _log.warning("more crossed than a minute opens alerts for", waiting=now, **line._asdict())
    elif before and not now:
        _log.info("no stream waits to raise an alert", **line._asdict())


def observe_fleets(fleets: Iterable[Fleet]) -> None:
    """Show how much is watched."""
    held = list(fleets)
    LOOKS_DUE.set(sum(fleet.looks_due for fleet in held))
    WAITING.set(sum(len(fleet.waiting) for fleet in held))
    STREAMS.set(sum(len(fleet.state) for fleet in held))
    FULL_DIMENSIONS.set(len({name for f in held for name in f.catalogue.full_dimensions()}))


def forget_observed() -> None:
    """Show nothing that another process shows now."""
    OPEN.clear()
    _open.clear()
    observe_fleets(())


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
