"""A letter's try in its trace: seen however it ends."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.domain.letters import Letter
from shared.senders import HandOver
from tests.support.spans import Spans, parent_id
from tests.support.trigger import NOW
from tests.support.trigger_rig import Rig, emptied

FOLLOWED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Hanging:
    """A courier whose server says nothing."""

    repeatable = True
    capacity = 10

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def send(self, letter: Letter, hand_over: HandOver) -> None:
        self.asked.set()
        await asyncio.Event().wait()


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with emptied(database_url) as engine:
        yield engine


async def test_a_try_that_the_end_of_the_process_cuts_short_is_seen(engine: AsyncEngine) -> None:
    rig, spans, hanging = Rig(engine), Spans(), Hanging()
    rig.couriers = {"email": hanging}  # type: ignore[dict-item]
    await rig.book()
    worker = rig.worker()
    (letter,) = (await worker.store.claim("email", 10, NOW)).letters
    before = asyncio.all_tasks()
    worker.traces = spans.traces
    worker.launch([replace(letter, traceparent=FOLLOWED)])
    (trying,) = asyncio.all_tasks() - before
    await hanging.asked.wait()

    trying.cancel()
    await asyncio.wait({trying})

    (span,) = spans.ended
    assert (span.name, parent_id(span)) == ("send email", FOLLOWED[36:52])
    assert (span.attributes or {})["earshot.invitation"] == letter.id
