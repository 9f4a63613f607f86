"""Letters that are handed over: noted in their rows, many in one transaction."""

import asyncio
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Protocol

from services.trigger.domain.letters import Letter


class Rows(Protocol):
    """Where letters stand."""

    async def hand_over(self, letters: Sequence[Letter]) -> AbstractSet[str]:
        """Note that they may have gone out; the ids of those that are still ours. Committed."""
        ...


@dataclass
class HandingOver:
    """Notes that letters may have gone out from now on.

    Those that come while one transaction is under way share the next: each of its own would wait
    for a disk of its own, and all of them would take the consumer's connections.
    """

    rows: Rows
    _next: list[tuple[Letter, asyncio.Future[bool]]] = field(default_factory=list, init=False)
    _noting: asyncio.Task[None] | None = field(default=None, init=False)

    async def note(self, letter: Letter) -> bool:
        """Return when it is committed; False where the letter is no longer ours.

        Raises what the database raises.
        """
        noted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._next.append((letter, noted))
        if self._noting is None or self._noting.done():
            self._noting = asyncio.create_task(self._note_all())
        return await noted

    async def _note_all(self) -> None:
        while self._next:
            together, self._next = self._next, []
            try:
                ours = await self.rows.hand_over([letter for letter, _ in together])
            except Exception as error:  # noqa: BLE001 - each of those who wait is told
                for _, noted in together:
                    if not noted.done():
                        noted.set_exception(error)
            else:
                for letter, noted in together:
                    if not noted.done():  # its try has run out of time
                        noted.set_result(letter.id in ours)
