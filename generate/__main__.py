"""Write every generated file, or say which would change.

    python -m generate [--check]

`--check` writes nothing and exits with 1 where a file is not what the code says.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from generate.files import FILES

ROOT = Path(__file__).resolve().parents[1]


def stale(root: Path) -> list[str]:
    """The generated files below `root` that are not what the code says."""
    return [name for name, make in FILES.items() if _text(root / name) != make()]


def write(root: Path) -> list[str]:
    """Write what is not as the code says; the names of what was written.

    One after the other: some are made of those before.
    """
    names = []
    for name, make in FILES.items():
        path, text = root / name, make()
        if _text(path) != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            names.append(name)
    return names


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    said = "Write every file that follows from the code."
    parser = argparse.ArgumentParser(prog="python -m generate", description=said)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if any differs")
    checks = parser.parse_args(arguments).check
    names = stale(root) if checks else write(root)
    for name in names:
        sys.stdout.write(f"{name} differs; `make generate` writes it\n" if checks else f"{name}\n")
    return int(checks and bool(names))


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
