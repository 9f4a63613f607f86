"""Ingest's machine interface: answers, batches of answers, events."""

from services.ingest.api.gate import Gate
from services.ingest.api.hot import HotPath, Submissions
from services.ingest.api.routes import build_router

__all__ = ["Gate", "HotPath", "Submissions", "build_router"]
