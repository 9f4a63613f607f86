"""What a program found: printed as tables, kept as JSON, put into the page that tells of it.

    python -m benchmarks.figures [--page docs/performance.md] [FILE ...]

writes each table of the JSON files (all under `var/bench/` where none is named) between the marks
`<!-- program: table -->` of the page. Figures are compared within one run alone: a ratio that an
`Aim` names was measured in alternating rounds of the same minutes.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.written import write_between

FOLDER: Final = Path("var") / "bench"

Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """Rows under a head; `columns` say their units."""

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    def text(self) -> str:
        """Aligned, for a terminal."""
        lines = [[shown(cell) for cell in row] for row in (self.columns, *self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(
                cell.ljust(width) if place == 0 else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )

    def markdown(self) -> str:
        """As a page has it."""
        lines = [[shown(cell) for cell in row] for row in (self.columns, *self.rows)]
        lines.insert(1, ["---", *("---:" for _ in self.columns[1:])])
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@dataclass(frozen=True)
class Aim:
    """A ratio of two figures of one run, and what it should reach at least."""

    name: str
    ratio: float
    least: float

    def line(self) -> str:
        return (
            f"{self.name}: {self.ratio:.2f} (aim {self.least:g},"
            f" {'met' if self.ratio >= self.least else 'MISSED'})"
        )


@dataclass
class Figures:
    """All that one program found."""

    program: str
    tables: list[Table] = field(default_factory=list)
    aims: list[Aim] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.time)
    load_before: float = field(default_factory=lambda: os.getloadavg()[0])

    def add(self, table: Table) -> None:
        """Keep a table and print it at once: a run takes minutes."""
        self.tables.append(table)
        print(f"{table.title}\n{table.text()}\n", flush=True)

    def aim(self, name: str, ratio: float, least: float) -> None:
        self.aims.append(Aim(name, ratio, least))
        print(self.aims[-1].line(), flush=True)

    def note(self, text: str) -> None:
        self.notes.append(text)
        print(text, flush=True)

    def write(self, path: Path | None) -> None:
        """Keep all as JSON with the machine it was measured on; nothing where no file is named."""
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        told = asdict(self) | {"began": datetime.fromtimestamp(self.began, UTC).isoformat()}
        told |= {"seconds": round(time.time() - self.began), "machine": machine()}
        path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def machine() -> dict[str, Any]:
    """What ratios may depend on, without what names a machine."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(pages / 2**30, 1),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def parser(description: str | None) -> argparse.ArgumentParser:
    """A program's arguments, of which `--json FILE` is everybody's."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--json", type=Path, help="where to write the figures")
    return made


def shown(cell: Cell) -> str:
    """A number with three digits that count, a thousand with its comma; nothing for None."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int) or abs(cell) >= 100:
        return f"{round(cell):,}"
    return f"{cell:.1f}" if abs(cell) >= 10 else f"{cell:.2f}"


def written_into(page: Path, files: Iterable[Path]) -> Sequence[str]:
    """Put every table of the files into the page; those for which it has no place are told."""
    missing = []
    for file in files:
        told = json.loads(file.read_text(encoding="utf-8"))
        aims = "\n".join(f"* {Aim(**one).line()}" for one in told["aims"])
        texts = {one["name"]: Table(**one).markdown() for one in told["tables"]}
        for name, text in (texts | ({"aims": aims} if aims else {})).items():
            try:
                write_between(page, f"{told['program']}: {name}", text)
            except ValueError:
                missing.append(f"{told['program']}: {name}")
    return missing


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--page", type=Path, default=Path("docs") / "performance.md")
    arguments.add_argument("files", type=Path, nargs="*")
    told = arguments.parse_args()
    missing = written_into(told.page, told.files or sorted(FOLDER.glob("*.json")))
    for name in missing:
        print(f"{told.page} has no place for <!-- {name} -->")


if __name__ == "__main__":
    main()
