"""Services as processes of their own: started, or forked from one that has imported them all.

To fork costs a tenth of what it costs to import everything again; two cores run many.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final, Protocol

from tests.support.system import ROOT, SERVICES

_NURSERY: Final = multiprocessing.get_context("forkserver")
_NURSERY.set_forkserver_preload(["__main__", *(f"services.{name}.app" for name in SERVICES)])


class Process(Protocol):
    """What is asked of a replica's process: `subprocess.Popen`, or one that was forked."""

    pid: int

    @property
    def returncode(self) -> int | Any: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float) -> int: ...


Begin = Callable[[str, Mapping[str, str], Path], Process]


def start_process(module: str, environment: Mapping[str, str], log_path: Path) -> Process:
    """Run `python -m <module>`; what it says is added to the log."""
    with log_path.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip


class Child:
    """A process that runs one service; the same questions as `subprocess.Popen` answers."""

    def __init__(self, process: BaseProcess) -> None:
        self._process = process
        self.pid: int = process.pid or 0

    @property
    def returncode(self) -> int | None:
        """None while it lives; -9 after a kill -9."""
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise TimeoutError(f"process {self.pid} still lives after {timeout} s")
        return code


def fork(module: str, environment: Mapping[str, str], log_path: Path) -> Child:
    """Run `python -m <module>`; what it says is added to the log."""
    process = _NURSERY.Process(target=_run, args=(module, dict(environment), str(log_path)))
    process.start()
    return Child(process)


def begin(module: str, environment: Mapping[str, str], log_path: Path) -> Process:
    """Fork it, unless its environment works from a process's very start alone."""
    how = start_process if "LD_PRELOAD" in environment else fork
    return how(module, environment, log_path)


def _run(module: str, environment: Mapping[str, str], log_path: str) -> None:
    os.setsid()
    os.chdir(ROOT)
    said = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.environ.clear()
    os.environ.update(environment)
    del sys.argv[1:]  # they are pytest's
    runpy.run_module(module, run_name="__main__", alter_sys=True)
