"""What an operator asks of a programme folder: `python -m services.trigger VERB FOLDER`."""

from collections.abc import Sequence
from typing import Final

from shared.verbs import run_verb

# Verb to what it does; each is a module here with `main(arguments) -> exit code`.
VERBS: Final = {
    "check": "find what is wrong or unwise in a programme (exit 1 on an error)",
    "plan": "show what a changed programme changes against today's",
    "backtest": "decide the last days again by a changed programme",
}


def main(arguments: Sequence[str]) -> int:
    """Do what is asked; the exit code. 2: it could not be begun."""
    return run_verb(arguments, "services.trigger", VERBS, "VERB FOLDER")
