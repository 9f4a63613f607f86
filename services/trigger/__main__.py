"""`python -m services.trigger`: trigger in a process of its own."""

from services.trigger.app import open_service
from services.trigger.settings import TriggerSettings
from shared.launch import launch

if __name__ == "__main__":
    launch(TriggerSettings, open_service)
