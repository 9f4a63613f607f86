"""`python -m services.alerts`: alerts in a process of its own."""

from services.alerts.app import open_service
from services.alerts.settings import AlertsSettings
from shared.launch import launch

if __name__ == "__main__":
    launch(AlertsSettings, open_service)
