"""Ingest's machine interface: answers, batches of answers, events."""

from services.ingest.api.bodies import BATCH_LIMIT
from services.ingest.api.gate import Gate
from services.ingest.api.hot import HotPath, Submissions
from services.ingest.api.routes import build_router

__all__ = ["BATCH_LIMIT", "Gate", "HotPath", "Submissions", "build_router"]
