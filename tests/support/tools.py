"""Tools that come from the system, not from the lock: present, or said to be missing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def locked_tool(name: str) -> str:
    """The path of a tool that the lock installed beside this interpreter."""
    return str(Path(sys.executable).with_name(name))


def system_tool(name: str) -> str:
    """The path of a system's tool; without it a test is skipped, and in CI it fails."""
    path = shutil.which(name)
    if path is None:
        missing = f"{name} is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    return path


def fetched(path: Path) -> Path:
    """What `.ci/tools` fetches; without it a test is skipped, and in CI it fails."""
    if not path.exists():
        missing = f"{path.relative_to(ROOT)} is missing: `.ci/tools` fetches it"
        if os.environ.get("CI") == "true":
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    return path


def run_tool(*command: str, env: dict[str, str] | None = None, fed: str | None = None) -> str:
    """What a tool that reads this prints; it fails with all that was said where it ends badly."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=None if env is None else os.environ | env,
        input=fed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        pytest.fail(f"{' '.join(command)}:\n{done.stdout}{done.stderr}", pytrace=False)
    return done.stdout
