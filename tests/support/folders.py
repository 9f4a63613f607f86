"""Copies of the shipped programme's folder, changed as an operator would."""

import shutil
from pathlib import Path

SHIPPED = Path(__file__).parents[2] / "programme"


def copy_shipped(below: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, below / "programme"))


def change(folder: Path, file: str, old: str, new: str) -> int:
    """Write `new` in the place of the first `old`; the line on which it stood."""
    text = (folder / file).read_text()
    before, found, after = text.partition(old)
    assert found, f"{old!r} does not stand in {file}"
    (folder / file).write_text(before + new + after)
    return before.count("\n") + 1
