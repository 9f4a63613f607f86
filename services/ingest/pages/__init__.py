"""The pages that customers see: the survey, its follow-up, and the way out of surveys."""

from services.ingest.pages.optouts import TriggerOptOuts, open_client
from services.ingest.pages.routes import Wiring, build_pages
from services.ingest.pages.views import Views

__all__ = ["TriggerOptOuts", "Views", "Wiring", "build_pages", "open_client"]
