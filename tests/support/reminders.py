"""Programmes that remind, and what became of the reminders."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from services.trigger.consumer import build_publish
from services.trigger.handlers import Desk
from services.trigger.worker.reminders import Reminding
from shared.events import SurveyDecision, Topic
from shared.programme.asking import Reminders
from shared.wire import decode_record, decoder
from tests.support.trigger import CHANNELS, asking
from tests.support.trigger_rig import Rig

ASKED = "SELECT * FROM invitations WHERE reminder_of IS NULL AND customer_id = 'c-1'"
LETTERS = (
    "SELECT reminder, status FROM invitations WHERE customer_id = 'c-1' ORDER BY created_at, id"
)


def reminding(most: int = 1, hours: float = 2, **survey: Any) -> dict[str, Any]:
    reminders = Reminders(most=most, after=timedelta(hours=hours))
    return {"caps": (), **asking(reminders=reminders, **survey)}


async def everything_heard(_: asyncio.Event) -> bool:
    return True


async def remind(rig: Rig) -> int:
    worker = Reminding(
        rig.engine,
        build_publish(rig.topics),
        lambda: Desk(rig.programme, CHANNELS, rig.clock()),
        lambda: None,
        everything_heard,
    )
    return await worker.once()


async def at(rig: Rig, moment: datetime) -> None:
    """Time passes: what is due is decided, and sent."""
    rig.clock.now = moment
    await remind(rig)
    await rig.worker().once()


async def rows(rig: Rig, query: str, **values: Any) -> list[Any]:
    async with rig.engine.begin() as connection:
        found = await connection.execute(sa.text(query), values)
        return [tuple(row) for row in found] if found.returns_rows else []


async def answered(rig: Rig) -> None:
    values = "id, '1', id, survey, 'promoter', 5, '{}', created_at"
    await rows(rig, f"INSERT INTO answers SELECT {values} FROM ({ASKED}) AS asked")


def decided(rig: Rig) -> list[tuple[str, str, str]]:
    read = decoder(SurveyDecision)
    told = [r for r in rig.topics.records if r.topic == Topic.SURVEY_DECISIONS]
    found = [decode_record(read, record.value) for record in told]
    return [(d.event_type, d.decision, d.reason) for d in found if d.source == "earshot"]
