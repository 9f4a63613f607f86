"""Trigger's machine interface: decisions, preview, invitations, suppressions, experiments."""

from services.trigger.api.decisions import build_decisions
from services.trigger.api.invitations import build_invitations
from services.trigger.api.suppressions import Suppressing, build_suppressions

__all__ = ["Suppressing", "build_decisions", "build_invitations", "build_suppressions"]
