"""`python -m services.ingest`: ingest in a process of its own."""

from services.ingest.app import open_service
from services.ingest.settings import IngestSettings
from shared.launch import launch

if __name__ == "__main__":
    launch(IngestSettings, open_service)
