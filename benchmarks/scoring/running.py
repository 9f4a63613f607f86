"""One contender's life: started, watched, perhaps killed once, timed by what it said."""

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import psutil

_SAMPLED_S: Final = 0.1
_LONGEST_S: Final = 120.0
_GONE = (psutil.NoSuchProcess, psutil.AccessDenied)


class Failed(Exception):
    """A contender ended otherwise than the contract says; the text has its last words."""


@dataclass(frozen=True)
class Spent:
    """Processor seconds of the contender, of PostgreSQL and of Kafka between two moments."""

    own: float
    postgres: float
    kafka: float


@dataclass(frozen=True)
class KilledAt:
    """After so many answers; after so many seconds where a contender cannot say what is done."""

    answers: float
    seconds: float

    def reached(self, lines: Sequence[Mapping[str, Any]]) -> bool:
        done = [line["done"] for line in lines]
        if min(done, default=0) < 0:
            return time.time() > float(lines[0]["at"]) + self.seconds
        return max(done, default=0) >= self.answers


@dataclass
class Life:
    """What was seen of one run: its lines, processor times by the clock, whether it was killed."""

    servers: tuple[int, int]  # PostgreSQL, Kafka
    lines: list[dict[str, Any]] = field(default_factory=list)
    samples: list[tuple[float, float, float, float]] = field(default_factory=list)
    killed: bool = False

    def sample(self, pid: int) -> None:
        """Take down what all have spent by now."""
        postgres, kafka = self.servers
        spent = spent_by(pid), spent_by(postgres), spent_by(kafka)
        self.samples.append((time.time(), *spent))

    @property
    def seconds(self) -> float:
        """From its first line to its last."""
        return max(1e-6, float(self.lines[-1]["at"]) - float(self.lines[0]["at"]))

    @property
    def knows(self) -> bool:
        """Whether it said what is done."""
        return all(line["done"] >= 0 for line in self.lines)

    def share(self, answers: int, seconds: float) -> float:
        """How much it had done: of the answers, or of these seconds where it cannot know that."""
        if not self.knows:
            return float((self.samples[-1][0] - self.lines[0]["at"]) / seconds)
        return float(max(line["done"] for line in self.lines) / answers)

    def spent(self) -> Spent:
        """Between its first line and its last."""
        times, *sorts = (np.array(column) for column in zip(*self.samples, strict=True))
        ends = [self.lines[0]["at"], self.lines[-1]["at"]]
        return Spent(*(float(np.diff(np.interp(ends, times, sort))[0]) for sort in sorts))


def spent_by(pid: int) -> float:
    """Processor seconds of a process, of its children, and of those that ended."""
    total = 0.0
    with suppress(*_GONE):
        root = psutil.Process(pid)
        times = root.cpu_times()
        total = sum(times[:4])  # with the children that it has waited for
        for child in root.children(recursive=True):
            with suppress(*_GONE):
                total += sum(child.cpu_times()[:4])
    return total


def live(
    command: Sequence[str],
    environment: Mapping[str, str],
    life: Life,
    killed_at: KilledAt | None = None,
) -> Life:
    """Run to the end, or to where it is killed. Raises Failed."""
    with started(command, environment) as (process, said):
        reader = threading.Thread(target=_read, args=(process.stdout, life.lines), daemon=True)
        reader.start()
        deadline = time.monotonic() + _LONGEST_S
        while process.poll() is None:
            life.sample(process.pid)
            if time.monotonic() > deadline:
                raise Failed(f"did not end in {_LONGEST_S:.0f} s: {_last(said)}")
            if killed_at is not None and killed_at.reached(life.lines):
                kill_tree(process.pid)
                reader.join(5)  # what it had said before
                life.killed = process.wait() == -signal.SIGKILL
                return life
            time.sleep(_SAMPLED_S)
        reader.join(5)
        if process.returncode or not life.lines:
            raise Failed(f"ended with {process.returncode}: {_last(said)}")
    return life


@contextmanager
def started(
    command: Sequence[str], environment: Mapping[str, str]
) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """The process in a session of its own; at the end nobody of it is left."""
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said,
        subprocess.Popen(
            command,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process, said
        finally:
            kill_tree(process.pid)


def kill_tree(pid: int) -> None:
    """SIGKILL to a session's processes."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _read(stream: IO[str] | None, lines: list[dict[str, Any]]) -> None:
    for text in stream or ():
        with suppress(ValueError):
            found = json.loads(text)
            if isinstance(found, dict) and "at" in found:
                lines.append(found)


def _last(said: IO[str]) -> str:
    said.seek(0)
    return " / ".join(said.read().splitlines()[-6:])[-900:]


def folder_of(var: Path, name: str) -> Path:
    """An empty directory of one run's own."""
    made = var / "runs" / name
    made.mkdir(parents=True)
    return made
