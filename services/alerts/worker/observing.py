"""What the judge shows of itself, after each commit."""

from collections.abc import Iterable
from datetime import datetime

from services.alerts.domain.alerts import Change
from services.alerts.domain.answers import Line
from services.alerts.domain.cases import Docket
from services.alerts.metrics import ENDED, FULL_DIMENSIONS, JUDGED_TO, OPEN, RAISED, STREAMS
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
