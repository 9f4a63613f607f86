"""A disk of a few megabytes, in memory, that a test can fill and free."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Disk:
    """What is mounted at `path`; `fill` takes all but so many bytes of what is free."""

    path: Path

    @property
    def free_bytes(self) -> int:
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def fill(self, leave: int) -> None:
        """Others may write meanwhile."""
        with self._filler.open("ab") as file, suppress(OSError):
            while (rest := self.free_bytes - leave) > 0:
                os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), min(rest, _CHUNK))

    def free(self) -> None:
        self._filler.unlink()

    @property
    def _filler(self) -> Path:
        return self.path / "filler"


@contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[Disk]:
    """Mount it there for the block. Only root may: elsewhere the test is skipped, never in CI."""
    path.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode and not os.environ.get("CI"):
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    assert mounted.returncode == 0, mounted.stderr
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
