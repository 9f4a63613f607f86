"""Memory of each process over time, and what the logs hold of errors."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.soak.stage import Stage
from tests.support.fleet import Replica

EVERY_S = 5.0
MB = 1024 * 1024
FLAT = 0.05  # growth over the second half, of what there was at half time

Samples = list[tuple[float, float]]  # seconds, MB


@dataclass
class Memory:
    """The resident memory of each replica, each five seconds; one life of a process a series."""

    stage: Stage
    began: float = field(default_factory=time.monotonic)
    lives: dict[tuple[str, int], Samples] = field(default_factory=dict)

    async def run(self) -> None:
        while True:
            for replica in self.stage.replicas:
                if replica.alive:
                    self._note(name_of(self.stage, replica), replica.pid)
            self._note("kafka", self.stage.ground.kafka.nodes[0].pid)
            await asyncio.sleep(EVERY_S)

    def _note(self, name: str, pid: int) -> None:
        try:
            megabytes = psutil.Process(pid).memory_info().rss / MB
        except psutil.Error:
            return
        samples = self.lives.setdefault((name, pid), [])
        samples.append((time.monotonic() - self.began, megabytes))

    def largest(self) -> Mapping[str, float]:
        found: dict[str, float] = {}
        for (name, _), samples in self.lives.items():
            found[name] = max([found.get(name, 0.0), *(mb for _, mb in samples)])
        return found


@dataclass(frozen=True)
class Trend:
    """One elder's memory: at half time, at the end, and the slope over the second half."""

    name: str
    half_mb: float
    end_mb: float
    mb_per_h: float
    hours: float

    @property
    def flat(self) -> bool:
        return self.mb_per_h * self.hours < FLAT * self.half_mb


def trends(memory: Memory) -> list[Trend]:
    """Of each elder, whose life is the whole run."""
    found = []
    for replica in memory.stage.elders:
        name = name_of(memory.stage, replica)
        samples = memory.lives[name, replica.pid]
        late = samples[len(samples) // 2 :]
        hours = (late[-1][0] - late[0][0]) / 3600
        found.append(Trend(name, late[0][1], late[-1][1], slope(late) * 3600, hours))
    return found


def slope(samples: Samples) -> float:
    """By least squares, MB a second."""
    n = len(samples)
    mean_t, mean_m = (sum(column) / n for column in zip(*samples, strict=True))
    over = sum((t - mean_t) ** 2 for t, _ in samples)
    return sum((t - mean_t) * (m - mean_m) for t, m in samples) / over if over else 0.0


def name_of(stage: Stage, replica: Replica) -> str:
    return f"{replica.service} {'elder' if replica in stage.elders else 'mortal'}"


def kinds_of_errors(replicas: Iterable[Replica]) -> Counter[str]:
    """How often each event was logged as a warning or worse, by service and what raised it."""
    found: Counter[str] = Counter()
    for replica in replicas:
        with replica.log_path.open(errors="replace") as lines:
            for line in lines:
                kind = _kind(line)
                if kind:
                    found[f"{replica.service}: {kind}"] += 1
    return found


def _kind(line: str) -> str | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return f"not JSON: {line.strip()[:80]}" if line.strip() else None
    if entry.get("level") not in {"warning", "error", "critical"}:
        return None
    raised = str(entry.get("error") or "").partition(":")[0]
    event = str(entry.get("event")).partition(":")[0][:80]
    return f"{entry['level']}: {event}{f' ({raised[:60]})' if raised else ''}"


def size_mb(folders: Sequence[Path]) -> float:
    paths = (path for folder in folders for path in folder.rglob("*"))
    return sum(path.stat().st_blocks * 512 for path in paths if path.is_file()) / MB
