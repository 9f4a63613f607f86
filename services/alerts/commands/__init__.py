"""What an operator asks of alerts: `python -m services.alerts VERB`."""

from collections.abc import Sequence
from typing import Final

from shared.verbs import run_verb

# Verb to what it does; each is a module here with `main(arguments) -> exit code`.
VERBS: Final = {"backtest": "judge past answers again by other settings"}


def main(arguments: Sequence[str]) -> int:
    """Do what is asked; the exit code. 2: it could not be begun."""
    return run_verb(arguments, "services.alerts", VERBS)
