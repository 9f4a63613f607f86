"""Letters that are handed over at the same time share a transaction."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import pytest

from services.trigger.domain.decisions import decide
from services.trigger.domain.facts import Facts
from services.trigger.domain.letters import Letter
from services.trigger.worker.handing import HandingOver
from tests.support.trigger import CHANNELS, NOW, call_ended, programme


class Rows:
    """Rows whose transaction ends when it is let go."""

    def __init__(self, *, theirs: str = "", fault: Exception | None = None) -> None:
        self.noted: list[int] = []
        self.end = asyncio.Event()
        self._theirs = theirs
        self._fault = fault

    async def hand_over(self, letters: Sequence[Letter]) -> set[str]:
        self.noted.append(len(letters))
        await self.end.wait()
        if self._fault is not None:
            raise self._fault
        return {letter.id for letter in letters} - {self._theirs}


def letter(number: int) -> Letter:
    (decision,) = decide(call_ended(number), Facts(CHANNELS), programme(), NOW)
    assert decision.invitation is not None
    return Letter(decision.invitation, UUID(int=1), 0)


def begin(rows: Rows, letters: Sequence[Letter]) -> list[asyncio.Task[bool]]:
    handing = HandingOver(rows)
    return [asyncio.create_task(handing.note(one)) for one in letters]


async def test_what_comes_while_one_transaction_is_under_way_shares_the_next() -> None:
    rows = Rows()
    handing = HandingOver(rows)
    first = asyncio.create_task(handing.note(letter(0)))
    while not rows.noted:
        await asyncio.sleep(0)
    others = [asyncio.create_task(handing.note(letter(number))) for number in range(1, 20)]
    await asyncio.sleep(0)
    rows.end.set()

    assert all(await asyncio.gather(first, *others))
    assert rows.noted == [1, 19]


async def test_nobody_is_told_before_the_commit_and_another_s_letter_is_not_ours() -> None:
    letters = [letter(number) for number in range(3)]
    rows = Rows(theirs=letters[1].id)
    tasks = begin(rows, letters)
    while not rows.noted:
        await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)

    rows.end.set()
    assert await asyncio.gather(*tasks) == [True, False, True]


async def test_a_fault_ends_each_try_and_not_the_next() -> None:
    rows = Rows(fault=OSError("away"))
    rows.end.set()
    handing = HandingOver(rows)
    tried = [asyncio.create_task(handing.note(letter(number))) for number in range(3)]
    found = await asyncio.gather(*tried, return_exceptions=True)
    assert [str(fault) for fault in found] == ["away"] * 3
    with pytest.raises(OSError, match="away"):
        await handing.note(letter(4))
    assert rows.noted == [3, 1]


async def test_a_try_that_runs_out_of_time_leaves_the_others_theirs() -> None:
    rows = Rows()
    late, other = begin(rows, [letter(1), letter(2)])
    while not rows.noted:
        await asyncio.sleep(0)
    late.cancel()
    rows.end.set()
    assert await other
    assert late.cancelled()
