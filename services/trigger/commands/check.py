"""Find what is wrong or unwise in a programme folder.

What cannot be loaded at all is told first (exit 2). Then each finding stands on a line of its own,
as file:line: key: what is wrong; why it matters, or what to do [level rule]. Exit 1 on any error.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from services.trigger.commands.folders import open_folder, read_span, todays_folder
from services.trigger.domain.lint import LINTS, Finding, Level, lint
from shared.programme.faults import ProgrammeError
from shared.programme.loading import FILES, read_sources
from shared.programme.sources import Source


def main(arguments: Sequence[str]) -> int:
    """Check one folder; the exit code."""
    asked = _parser().parse_args(arguments)
    folder: Path = asked.folder or todays_folder()
    as_json = asked.format == "json"
    try:
        programme = open_folder(folder)
    except ProgrammeError as error:
        if as_json:
            _write_json([], error)
            return 2
        raise
    found = [
        f for f in lint(programme, read_span("trigger_retention")) if f.rule not in asked.allow
    ]
    sources = read_sources(folder)
    rows = sorted((_row(finding, sources) for finding in found), key=_place)
    if as_json:
        _write_json(rows)
    else:
        sys.stdout.writelines(f"{_line(row)}\n" for row in rows)
        sys.stderr.write(f"{folder}: {_summary(found)}\n")
    return _exit_code(found, strict=asked.strict)


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    names = "\n".join(f"  {rule.name:<20}{rule.level}" for rule in LINTS)
    parser = argparse.ArgumentParser(
        prog="python -m services.trigger check",
        description=__doc__,
        epilog=f"rules:\n{names}",
        formatter_class=form,
    )
    parser.add_argument("folder", nargs="?", type=Path, help="default: EARSHOT_PROGRAMME")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.add_argument("--strict", action="store_true", help="exit 1 on warnings too")
    parser.add_argument(
        "--allow", action="append", default=[], metavar="RULE",
        choices=[rule.name for rule in LINTS], help="what this rule finds is meant; repeatable",
    )  # fmt: skip
    return parser


def _exit_code(found: Sequence[Finding], *, strict: bool) -> int:
    levels = {finding.level for finding in found}
    return int(Level.ERROR in levels or (strict and bool(levels)))


def _row(finding: Finding, sources: Mapping[str, Source]) -> dict[str, Any]:
    source = sources[finding.found.file]
    return {
        "file": str(source.file),
        "line": source.line_of(finding.found.path),
        "key": finding.key,
        "level": finding.level,
        "rule": finding.rule,
        "what": finding.found.what,
        "why": finding.found.why,
    }


def _place(row: Mapping[str, Any]) -> tuple[int, int]:
    return FILES.index(Path(row["file"]).name), row["line"]


def _line(row: Mapping[str, Any]) -> str:
    place = "{file}:{line}: {key}".format_map(row)
    return f"{place}: {row['what']}; {row['why']} [{row['level']} {row['rule']}]"


def _summary(found: Iterable[Finding]) -> str:
    counted = Counter(finding.level for finding in found)
    said = [f"{n} {level}{'s' if n > 1 else ''}" for level in Level if (n := counted[level])]
    return ", ".join(said) or "nothing to find fault with"


def _write_json(rows: Sequence[Mapping[str, Any]], error: ProgrammeError | None = None) -> None:
    faults = [
        {
            "file": str(fault.file),
            "line": fault.line,
            "key": fault.key,
            "fault": fault.fault,
            "accepted": fault.accepted,
        }
        for fault in (error.faults if error else ())
    ]
    written = {"faults": faults, "findings": rows}
    sys.stdout.write(json.dumps(written, ensure_ascii=False, indent=2) + "\n")
