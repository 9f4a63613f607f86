"""What a piece of work took: by the clock, and of a processor, ours and PostgreSQL's apart."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from shared.embedded.system import running


@dataclass
class Spent:
    """Seconds of one piece of work."""

    clock_s: float = 0.0
    own_s: float = 0.0
    postgres_s: float = 0.0


@dataclass
class Meter:
    """Measures work of this process; `var` is the folder of the PostgreSQL that it uses."""

    var: Path

    @contextmanager
    def over(self) -> Iterator[Spent]:
        """What is spent inside; filled in at the end."""
        spent = Spent()
        clock, own, postgres = time.perf_counter(), time.process_time(), self._postgres_s()
        try:
            yield spent
        finally:
            spent.clock_s += time.perf_counter() - clock
            spent.own_s += time.process_time() - own
            spent.postgres_s += self._postgres_s() - postgres

    def _postgres_s(self) -> float:
        """Of all its processes, those that have ended too; in hundredths, as the system counts."""
        found = running(self.var)
        if found is None:
            return 0.0
        first = psutil.Process(found.postgres_pid)
        ended = first.cpu_times()
        total: float = ended.children_user + ended.children_system
        for process in (first, *first.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
        return total
