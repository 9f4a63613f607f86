"""What the judge shows of itself, after each commit."""

from datetime import datetime

from services.alerts.domain.alerts import Change
from services.alerts.domain.cases import Docket
from services.alerts.metrics import ENDED, FULL_DIMENSIONS, JUDGED_TO, OPEN, RAISED, STREAMS
from services.alerts.store.fleet import Fleet


def observe_docket(docket: Docket) -> None:
    """Count what was raised and what ended."""
    OPEN.set(len(docket.cases))
    for alert, change in docket.changes:
        if change is Change.OPENED:
            RAISED.labels(alert.severity, str(alert.historic).lower()).inc()
        elif alert.state.is_over:
            ENDED.labels(alert.state).inc()


def observe_fleet(fleet: Fleet) -> None:
    """Show how much is watched."""
    STREAMS.set(len(fleet.state))
    FULL_DIMENSIONS.set(len(fleet.catalogue.full_dimensions()))


def observe_time(judged_at: datetime | None) -> None:
    """Show how far event time has come."""
    if judged_at is not None:
        JUDGED_TO.set(judged_at.timestamp())
