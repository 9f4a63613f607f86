"""`python -m services.scoring`: scoring in a process of its own."""

from services.scoring.app import open_service
from services.scoring.settings import ScoringSettings
from shared.launch import launch

if __name__ == "__main__":
    launch(ScoringSettings, open_service)
