"""Show what a changed programme changes against today's, and what becomes of what is under way."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TypeAlias

from rich.console import Console
from rich.text import Text

from services.trigger.commands.backtest import effect_over, read_days
from services.trigger.commands.folders import open_folder, todays_folder
from services.trigger.domain.plans import Change, How, plan
from shared.programme.models import Programme

# What a changed programme would have asked in the last days, beside today's: rows of one table.
Effect: TypeAlias = Callable[[Programme, Programme], Sequence[dict[str, Any]]]

_SIGNS: Final = {How.ADDED: ("+", "green"), How.REMOVED: ("-", "red"), How.CHANGED: ("~", "yellow")}
_LONGEST: Final = 60


def main(arguments: Sequence[str], effect: Effect | None = None) -> int:
    """Compare one folder with today's; `effect` adds numbers. The exit code."""
    asked = _parser().parse_args(arguments)
    today, then = open_folder(asked.today or todays_folder()), open_folder(asked.folder)
    changes = plan(today, then)
    if asked.days is not None:
        effect = effect_over(asked.days)
    numbers = effect(today, then) if effect is not None and changes else []
    if asked.format == "json":
        _write_json(today, then, changes, numbers)
        return 0
    console = Console(soft_wrap=True, highlight=False)
    if not changes:
        console.print("nothing changes")
    for change in changes:
        _show(change, console)
    for row in numbers:
        console.print("  ".join(f"{name} {value}" for name, value in row.items()))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.trigger plan", description=__doc__)
    parser.add_argument("folder", type=Path, help="the changed programme")
    parser.add_argument("--today", type=Path, help="today's; default: EARSHOT_PROGRAMME")
    parser.add_argument(
        "--days", type=read_days, help="with what it would have changed in so many days"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")
    return parser


def _show(change: Change, console: Console) -> None:
    sign, colour = _SIGNS[change.how]
    title = f"{sign} {change.part} {change.name}".rstrip()
    console.print(Text(f"{title}: {'; '.join(change.means)}", style=colour))
    for each in change.differences:
        console.print(Text(f"    {each.key}: {_short(each.old)} -> {_short(each.new)}"))
    for sentence in change.becomes:
        console.print(Text(f"    {sentence}", style="dim"))


def _short(said: str) -> str:
    line = " ".join(said.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _write_json(
    today: Programme,
    then: Programme,
    changes: Sequence[Change],
    numbers: Sequence[dict[str, Any]],
) -> None:
    written = {
        "today": today.digest,
        "then": then.digest,
        "changes": [asdict(change) for change in changes],
        "effect": numbers,
    }
    sys.stdout.write(json.dumps(written, ensure_ascii=False, indent=2) + "\n")
