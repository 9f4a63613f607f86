"""What a contender prints and writes: its half of the contract, of the standard library alone."""

import asyncio
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

IDLE_S: Final = 5.0
_EVERY_S: Final = 0.2

Sums = Iterable[int]


class Telling:
    """Lines for the harness: at the first record, after commits, after the last one."""

    def __init__(self) -> None:
        self._told_at = self._came_at = 0.0
        self._waiting: str | None = None
        self._done = 0

    @property
    def idle(self) -> bool:
        """Whether records came, and then none for 5 s."""
        return self._came_at > 0 and time.monotonic() > self._came_at + IDLE_S

    def came(self, done: int = 0) -> None:
        """Records have just come; `done` of them all had been durable before."""
        self._came_at = time.monotonic()
        if not self._told_at:
            self._done = done
            self._say(_line(done))

    async def until_idle(self) -> None:
        """Wait for the end of the records."""
        while not self.idle:  # noqa: ASYNC110 - an event would have to be set for every record
            await asyncio.sleep(0.1)

    def committed(self, done: int) -> None:
        """So many answers are durable now; -1: nobody knows. Said once of the same number."""
        if done == self._done and done >= 0:
            return
        self._done = done
        self._waiting = _line(done)
        if time.monotonic() > self._told_at + _EVERY_S:
            self._say(self._waiting)

    def finish(self, cells: Iterable[tuple[str, Sums]]) -> None:
        """Say what the last commit was, and write what is durable by `dims|values|hour`."""
        if self._waiting is not None:
            self._say(self._waiting)
        whole: dict[str, list[int]] = {}
        for name, sums in cells:
            found = whole.setdefault(name, [0] * 5)
            whole[name] = [one + other for one, other in zip(found, sums, strict=True)]
        file = Path(os.environ["FOLDER"]) / "counts.json"
        file.write_text(json.dumps(whole), encoding="utf-8")

    def _say(self, line: str) -> None:
        self._told_at, self._waiting = time.monotonic(), None
        print(line, flush=True)


def _line(done: int) -> str:
    return json.dumps({"done": done, "at": time.time()})
