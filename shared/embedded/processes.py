import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

CLOCK_STEP = 10.0  # seconds by which a process's recorded start may differ from the kernel's
LOG_LIMIT = 10 * 1024 * 1024


class StartFailed(Exception):
    """An embedded server does not run; the text says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Launch:
    """A command, and the user that runs it (None: ourselves)."""

    command: Sequence[str]
    environment: Mapping[str, str]
    uid: int | None = None
    gid: int | None = None


def spawn(launch: Launch, output: Path) -> int:
    """Start a process that outlives us and hears none of our signals; return its pid."""
    if output.exists() and output.stat().st_size > LOG_LIMIT:
        output.replace(output.with_suffix(".log.1"))
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab") as file:
        give_away(output)
        try:
            child = subprocess.Popen(  # noqa: S603 - the command is ours # nosec B603
                launch.command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd="/",
                env=dict(launch.environment),
                user=launch.uid,
                group=launch.gid,
                extra_groups=None if launch.uid is None else [],
                start_new_session=True,
            )
        except OSError as fault:
            raise StartFailed(f"{launch.command[0]} cannot be started: {fault}") from fault
    # It outlives us on purpose: without this, Popen warns that nobody waited for it.
    child.returncode = 0
    return child.pid


def give_away(path: Path) -> None:
    """As root, let a file belong to the owner of its folder, who may start the next time."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def is_alive(pid: int) -> bool:
    """Say whether `pid` runs. A zombie does not, whoever should have reaped it."""
    if pid <= 0:
        return False
    _reap(pid)
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def is_ours(pid: int, program: str, folder: Path, started: float) -> bool:
    """Say whether `pid` still is the process that we left there, not one that got its number.

    It is `program` (or Python runs that module), and either it began at `started` (epoch seconds)
    or its command line names `folder`: a clock that was set in between changes the first only,
    a folder that was moved the second only.
    """
    if not is_alive(pid):
        return False
    try:
        process = psutil.Process(pid)
        words = process.cmdline()
        begun = process.create_time()
    except psutil.Error:
        return False
    if not words or (Path(words[0]).name != program and program not in words[1:]):
        return False
    return abs(begun - started) < CLOCK_STEP or str(folder) in words


def end(pid: int, steps: Sequence[tuple[signal.Signals, float]]) -> None:
    """Send each signal and wait its seconds, until the process is gone."""
    for number, patience in steps:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        except PermissionError as fault:
            raise StartFailed(
                f"process {pid} belongs to another user: stop it as the user that started it"
            ) from fault
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if not is_alive(pid):
                return
            time.sleep(0.01)
    if is_alive(pid):
        raise StartFailed(f"process {pid} does not end, not even after {steps[-1][0].name}")


def read_tail(path: Path, lines: int = 8) -> str:
    """Return the last lines of a server's log, for an error message."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "(no log)"
    return "\n".join(text.splitlines()[-lines:])


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # not our child: started by an earlier run
