"""Alerts over HTTP."""

from services.alerts.api.alerts import build_router
from services.alerts.api.asked import Known
from services.alerts.api.audit import build_audit
from services.alerts.api.destinations import build_destinations
from services.alerts.api.sensitivity import build_sensitivity
from services.alerts.api.silences import build_silences
from services.alerts.api.streams import Streams
from services.alerts.api.trust import build_promise

__all__ = [
    "Known",
    "Streams",
    "build_audit",
    "build_destinations",
    "build_promise",
    "build_router",
    "build_sensitivity",
    "build_silences",
]
