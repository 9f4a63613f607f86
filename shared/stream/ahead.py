"""The next poll, fetched and decoded while the one before it is settled.

While the database and the broker work on a batch this process would wait. It is worth it where
records wait already: of a few that come just now the next batch would only be made smaller.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from shared.stream.pipeline import Source
from shared.stream.records import Record
from shared.stream.verdict import judge

_POLL_S: Final = 0.2
_BREATH: Final = 100  # records: the batch before is never kept waiting for longer
_MANY: Final = 1_000  # in a poll, of 2,000 at most: more wait
_NEVER: Final = 2**63  # an offset that no record has


@dataclass
class Polled:
    """What a poll brought, and the values of so many of its first records as are decoded."""

    records: Sequence[Record] = ()
    values: list[Any] = field(default_factory=list)


class Ahead:
    """Polls the source, and reads ahead where it is told to.

    What was read ahead is given up, to be fetched again, where what lies before it is not settled.
    """

    def __init__(self, source: Source, decode: Callable[[Record], Any] | None) -> None:
        self._source = source
        self._decode = decode
        self._reading: asyncio.Task[Polled] | None = None
        self._wanted = False

    async def poll(self) -> Polled:
        """What was read ahead, or else comes now. Raises what the source raises."""
        reading, self._reading = self._reading, None
        if reading is None:
            return Polled(await self._source.poll(_POLL_S))
        self._wanted = True
        return self._still_ours(await reading)

    def begin(self, polled: Polled) -> None:
        """Read ahead of what this poll brought, if more is likely to wait."""
        if len(polled.records) >= _MANY:
            self._wanted = False
            self._reading = asyncio.create_task(self._read())

    async def give_up(self) -> None:
        """Fetch again, later, what was read ahead. Raises what is no weather."""
        reading, self._reading = self._reading, None
        if reading is None:
            return
        self._wanted = True
        try:
            polled = await reading
        except Exception as error:
            if not judge(error).passes:  # else the next poll says it again
                raise
        else:
            for home in {record.home for record in polled.records}:
                self._source.rewind(home)

    async def _read(self) -> Polled:
        polled = Polled(await self._source.poll(_POLL_S, ahead=True))
        if self._decode is not None:
            await self._decode_some(polled, self._decode)
        return polled

    async def _decode_some(self, polled: Polled, decode: Callable[[Record], Any]) -> None:
        """Until it is wanted."""
        for first in range(0, len(polled.records), _BREATH):
            await asyncio.sleep(0)
            if self._wanted:
                return
            polled.values += map(decode, polled.records[first : first + _BREATH])

    def _still_ours(self, polled: Polled) -> Polled:
        """Without what a rebalance took from us meanwhile, or placed anew and was settled since."""
        nexts = self._source.next_of
        oldest = {record.home: record.offset for record in reversed(polled.records)}
        wrong = {home for home, offset in oldest.items() if offset < nexts.get(home, _NEVER)}
        if not wrong:
            return polled
        return Polled(
            [
                record
                for record in polled.records
                if record.home not in wrong or record.offset >= nexts.get(record.home, _NEVER)
            ]
        )
