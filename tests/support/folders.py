"""Copies of the shipped programme's folder, changed as an operator would."""

import shutil
from pathlib import Path

import yaml

SHIPPED = Path(__file__).parents[2] / "programme"


def copy_shipped(below: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, below / "programme"))


def without(folder: Path, *keys: str) -> Path:
    """Take keys out of `programme.yaml`."""
    path = folder / "programme.yaml"
    said = {key: value for key, value in yaml.safe_load(path.read_text()).items()
            if key not in keys}  # fmt: skip
    path.write_text(yaml.safe_dump(said, allow_unicode=True))
    return folder


def change(folder: Path, file: str, old: str, new: str) -> int:
    """Write `new` in the place of the first `old`; the line on which it stood."""
    text = (folder / file).read_text()
    before, found, after = text.partition(old)
    assert found, f"{old!r} does not stand in {file}"
    (folder / file).write_text(before + new + after)
    return before.count("\n") + 1
