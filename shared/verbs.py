"""What an operator asks of a service by a verb: `python -m services.trigger check …`."""

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module

from shared.programme.faults import ProgrammeError
from shared.settings import SettingsFault


def run_verb(
    arguments: Sequence[str], service: str, verbs: Mapping[str, str], takes: str = "VERB"
) -> int:
    """Do what is asked; the exit code. 2: it could not be begun.

    `verbs`: verb to what it does; each is a module of `service.commands` with
    `main(arguments) -> exit code`. `takes`: the arguments, as the usage shows them.
    """
    verb = arguments[0]
    if verb not in verbs:
        asked_for_help = verb in {"-h", "--help", "help"}
        told = usage_of(service, verbs, takes)
        if asked_for_help:
            sys.stdout.write(told)
            return 0
        sys.stderr.write(f"no such verb: {verb}\n{told}")
        return 2
    try:
        module = import_module(f"{service}.commands.{verb}")
        code: int = module.main(arguments[1:])
        sys.stdout.flush()
    except (ProgrammeError, SettingsFault) as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    except BrokenPipeError:  # `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def usage_of(service: str, verbs: Mapping[str, str], takes: str) -> str:
    """What there is to ask, for a person."""
    first = f"usage: python -m {service} [{takes}]"
    without = "without a verb the service runs; there are:"
    return "\n".join([first, without, *(f"  {name:<10}{text}" for name, text in verbs.items()), ""])
