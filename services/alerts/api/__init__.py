"""Alerts over HTTP."""

from services.alerts.api.alerts import build_router
from services.alerts.api.destinations import build_destinations

__all__ = ["build_destinations", "build_router"]
