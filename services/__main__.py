"""`python -m services`: all four services; `python -m services VERB`: what an operator asks for."""

import sys
from importlib import import_module

from services.commands import VERBS
from shared.settings import SettingsFault


def main(arguments: list[str]) -> int:
    verb = arguments[0] if arguments else "run"
    if verb not in VERBS:
        asked_for_help = verb in {"-h", "--help", "help"}
        lines = [f"  {name:<12}{text}" for name, text in VERBS.items()]
        text = "\n".join(["usage: python -m services [VERB] [--help]", "", *lines, ""])
        (sys.stdout if asked_for_help else sys.stderr).write(text)
        return 0 if asked_for_help else 2
    module = import_module(f"services.commands.{verb}")
    try:
        code: int = module.main(arguments[1:])
    except SettingsFault as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
