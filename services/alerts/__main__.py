"""`python -m services.alerts`: alerts in a process of its own; with a verb, a tool."""

import sys

from services.alerts.app import open_service
from services.alerts.commands import main
from services.alerts.settings import AlertsSettings
from shared.launch import launch

if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(sys.argv[1:]))
    launch(AlertsSettings, open_service)
