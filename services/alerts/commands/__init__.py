"""What an operator asks of alerts: `python -m services.alerts VERB`."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

from shared.programme.faults import ProgrammeError
from shared.settings import SettingsFault

# Verb to what it does; each is a module here with `main(arguments) -> exit code`.
VERBS: Final = {"backtest": "judge past answers again by other settings"}


def main(arguments: Sequence[str]) -> int:
    """Do what is asked; the exit code. 2: it could not be begun."""
    verb = arguments[0]
    if verb not in VERBS:
        asked_for_help = verb in {"-h", "--help", "help"}
        (sys.stdout if asked_for_help else sys.stderr).write(_usage(verb, known=asked_for_help))
        return 0 if asked_for_help else 2
    try:
        module = import_module(f"services.alerts.commands.{verb}")
        code: int = module.main(arguments[1:])
        sys.stdout.flush()
    except (ProgrammeError, SettingsFault) as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    except BrokenPipeError:  # `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _usage(verb: str, *, known: bool) -> str:
    lines = [f"  {name:<10}{text}" for name, text in VERBS.items()]
    without = "without a verb the service runs; there are:"
    first = "" if known else f"no such verb: {verb}\n"
    return "\n".join([f"{first}usage: python -m services.alerts [VERB]", without, *lines, ""])
