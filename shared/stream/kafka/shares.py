"""A poll takes from all partitions alike.

aiokafka empties one after another: in a backlog one would run thousands of records, or days, ahead
of the next.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

MAX_RECORDS: Final = 2_000

Taken = dict[TopicPartition, list[Any]]


class Shares:
    """Of one client. While a backlog lasts, what is left over goes to who was given least."""

    def __init__(self) -> None:
        self._given = Counter[TopicPartition]()
        self._fault: Exception | None = None

    async def take(self, raw: Any, taken: Taken, wait_ms: int) -> None:
        """Put what came into `taken`, at once: nobody gives it again.

        Raises what aiokafka raises. Where others have records, a partition's fault is raised by
        the next call: it keeps nothing back from them.
        """
        fault, self._fault = self._fault, None
        if fault is not None:
            raise fault
        homes = sorted(raw.assignment(), key=self._given.__getitem__)
        share = max(1, MAX_RECORDS // max(1, len(homes)))
        taken.update(await raw.getmany(timeout_ms=wait_ms, max_records=share))
        if sum(map(len, taken.values())) < share:  # that was all
            self._given.clear()
            return
        await self._go_round(raw, taken, homes, share)
        self._given.update({home: len(records) for home, records in taken.items()})

    async def _go_round(
        self, raw: Any, taken: Taken, homes: Sequence[TopicPartition], share: int
    ) -> None:
        full = {home for home, records in taken.items() if len(records) == share}
        asked = [home for home in homes if home not in taken]
        while asked:
            for home in asked:
                if MAX_RECORDS - sum(map(len, taken.values())) < share:
                    return
                if await self._more(raw, taken, home, share) == share:
                    full.add(home)
            asked, full = [home for home in homes if home in full], set()

    async def _more(self, raw: Any, taken: Taken, home: TopicPartition, share: int) -> int:
        try:
            found = await raw.getmany(home, timeout_ms=0, max_records=share)
        except (KafkaError, UnicodeDecodeError) as error:
            self._fault = self._fault or error
            return 0
        for one, records in found.items():
            taken.setdefault(one, []).extend(records)
        return sum(map(len, found.values()))
