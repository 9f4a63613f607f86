"""Processes that stand still: the kernel takes connections for them, and nobody answers."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

import psutil


@contextmanager
def standing_still(pids: Iterable[int]) -> Iterator[None]:
    """All of them until the block ends, whatever becomes of one or of the block.

    Those that vanish meanwhile, as a database's children may, are left out.
    """
    stopped: list[psutil.Process] = []
    try:
        for pid in pids:
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                stopped.append(process)
                process.suspend()
        yield
    finally:
        for process in reversed(stopped):
            with suppress(psutil.NoSuchProcess):
                process.resume()


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    process = psutil.Process(pid)
    return [pid, *(child.pid for child in process.children(recursive=True))]
