"""`python -m services.trigger`: trigger in a process of its own; with a verb, a tool."""

import sys

from services.trigger.app import open_service
from services.trigger.commands import main
from services.trigger.settings import TriggerSettings
from shared.launch import launch

if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(sys.argv[1:]))
    launch(TriggerSettings, open_service)
