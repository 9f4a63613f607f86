"""The worker that decides what is due, on real PostgreSQL: a fault of ours holds up nobody else."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest
import sqlalchemy as sa

from services.trigger.handlers import Desk
from services.trigger.metrics import REGISTRY
from services.trigger.worker.due import Due
from shared.events import SurveyDecision
from tests.support.trigger import CHANNELS, NOW
from tests.support.trigger_rig import Rig, emptied

HOUR = timedelta(hours=1)
DELAYED = {"delay": HOUR}
SPOIL = sa.text(
    "UPDATE waiting SET event = jsonb_set(event, '{data,customer}', '5') WHERE event_id = :id"
)


def put_off() -> float:
    return REGISTRY.get_sample_value("earshot_trigger_due_put_off_total") or 0.0


@pytest.fixture
async def rig(database_url: str) -> AsyncIterator[Rig]:
    async with emptied(database_url) as engine:
        yield Rig(engine)


class Told:
    """Decisions that were published."""

    def __init__(self) -> None:
        self.decisions: list[SurveyDecision] = []

    async def __call__(self, decisions: Sequence[SurveyDecision]) -> None:
        self.decisions += decisions


def due_worker(rig: Rig, told: Told) -> Due:
    def desk() -> Desk:
        return Desk(rig.programme, CHANNELS, rig.clock())

    return Due(rig.engine, told, desk, lambda: None)


async def waiting(rig: Rig) -> list[tuple[str, timedelta]]:
    query = sa.text("SELECT event_id, due_at - :now FROM waiting ORDER BY event_id")
    async with rig.engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(query, {"now": rig.clock()})]


async def test_what_is_due_is_decided_told_and_waits_no_more(rig: Rig) -> None:
    await rig.book(1, trigger=DELAYED)
    told = Told()
    worker = due_worker(rig, told)

    assert await worker.once() == 0
    rig.clock.now = NOW + HOUR
    assert await worker.once() == 1

    assert [(d.decision, d.reason) for d in told.decisions] == [("invited", "asked")]
    assert await rig.row() == ("scheduled",)
    assert await waiting(rig) == []


async def test_a_question_that_cannot_be_decided_keeps_nobody_else_waiting(rig: Rig) -> None:
    for number in range(1, 6):
        await rig.book(number, trigger=DELAYED)
    spoil = (
        "UPDATE waiting SET event = jsonb_set(event, '{data,customer}', '5') WHERE event_id = :id"
    )
    async with rig.engine.begin() as connection:
        await connection.execute(sa.text(spoil), {"id": "evt-3"})
    rig.clock.now = NOW + HOUR
    before = put_off()
    told = Told()

    assert await due_worker(rig, told).once() == 4

    assert sorted(d.event_id for d in told.decisions) == ["evt-1", "evt-2", "evt-4", "evt-5"]
    assert await waiting(rig) == [("evt-3", HOUR)]
    assert put_off() == before + 1


async def test_a_customer_whom_another_holds_hides_nobody(rig: Rig) -> None:
    for number in (1, 2):
        await rig.book(number, trigger=DELAYED)
    rig.clock.now = NOW + HOUR
    told = Told()
    hold = sa.text("SELECT FROM customers WHERE id = 'c-1' FOR UPDATE")

    async with rig.engine.begin() as other:
        await other.execute(hold)
        number = await due_worker(rig, told).decide(1)

    assert number == 1
    assert [d.event_id for d in told.decisions] == ["evt-2"]
    assert [event for event, _ in await waiting(rig)] == ["evt-1"]
