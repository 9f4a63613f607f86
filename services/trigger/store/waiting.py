"""What waits to be decided: stored, taken when it is due, and forgotten."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.trigger.domain.questions import Question
from services.trigger.handlers import Waiting
from shared.columns import columns, insert_all, unnested
from shared.events import Event
from shared.programme.models import Programme

_ROW: Final = {
    "trigger": "text",
    "source": "text",
    "event_id": "text",
    "subject_id": "text",
    "customer_id": "text",
    "event": "text",
    "planned_at": "timestamptz",
    "due_at": "timestamptz",
    "heard_at": "timestamptz",
    "traceparent": "text",
}
_WAIT: Final = insert_all(
    "waiting",
    _ROW,
    {"event": "r.event::jsonb"},
    "ON CONFLICT (trigger, source, event_id) DO UPDATE SET due_at = excluded.due_at",
)
_DUE: Final = text("""
    SELECT customer_id, trigger, subject_id FROM waiting
    WHERE due_at <= :now ORDER BY due_at LIMIT :most
""")
_BEHIND: Final = text("""
    SELECT coalesce(extract(epoch FROM greatest(:now - min(due_at), interval '0')), 0)::float
    FROM waiting
""")
_PUT_OFF: Final = text("""
    WITH first AS (SELECT * FROM waiting WHERE due_at <= :now ORDER BY due_at LIMIT 1)
    UPDATE waiting w SET due_at = :until FROM first f
    WHERE w.customer_id = f.customer_id
       OR w.trigger = f.trigger AND w.subject_id = f.subject_id
    RETURNING w.source || ' ' || w.event_id
""")
_SUBJECT: Final = {"trigger": "text", "subject_id": "text"}
_SHARED: Final = text(f"""
    SELECT DISTINCT w.customer_id FROM waiting w
    JOIN {unnested(_SUBJECT)} ON w.trigger = r.trigger AND w.subject_id = r.subject_id
    WHERE w.customer_id IS NOT NULL
""")  # noqa: S608
_LOCK: Final = text("""
    SELECT id FROM customers WHERE id = ANY(CAST(:ids AS text[]))
    ORDER BY id FOR UPDATE SKIP LOCKED
""")
# What names nobody goes with the customers of its subject, and waits for those that others hold.
_TAKE: Final = text(f"""
    SELECT trigger, event::text, subject_id, heard_at, due_at, traceparent FROM waiting w
    WHERE customer_id = ANY(CAST(:ids AS text[]))
       OR customer_id IS NULL AND (trigger, subject_id) IN (
           SELECT r.trigger, r.subject_id FROM {unnested(_SUBJECT)}
           UNION ALL
           SELECT o.trigger, o.subject_id FROM waiting o
           WHERE o.customer_id = ANY(CAST(:ids AS text[])))
       AND NOT EXISTS (
           SELECT FROM waiting o WHERE o.trigger = w.trigger AND o.subject_id = w.subject_id
           AND o.customer_id IS NOT NULL AND o.customer_id <> ALL(CAST(:ids AS text[])))
    ORDER BY source, event_id, trigger FOR UPDATE OF w SKIP LOCKED
""")  # noqa: S608
_KEY: Final = {"trigger": "text", "source": "text", "event_id": "text"}
_FORGET: Final = text(
    f"DELETE FROM waiting w USING {unnested(_KEY)} WHERE w.trigger = r.trigger"  # noqa: S608
    " AND w.source = r.source AND w.event_id = r.event_id"
)
_POSTPONED: Final = {**_KEY, "due_at": "timestamptz"}
_POSTPONE: Final = text(f"""
    UPDATE waiting w SET due_at = r.due_at FROM {unnested(_POSTPONED)}
    WHERE w.trigger = r.trigger AND w.source = r.source AND w.event_id = r.event_id
""")  # noqa: S608


async def store_waiting(
    connection: AsyncConnection, questions: Sequence[Question], programme: Programme
) -> None:
    """Keep questions until they are due."""
    if not questions:
        return
    rows = sorted(_row(question, programme) for question in questions)
    await connection.execute(_WAIT, columns(_ROW, rows))


async def take_due(connection: AsyncConnection, most: int, now: datetime) -> Sequence[Waiting]:
    """All that waits of customers for whom something is due, and whom nobody else holds."""
    due = (await connection.execute(_DUE, {"now": now, "most": most})).all()
    if not due:
        return ()
    nobodys = sorted({(row.trigger, row.subject_id) for row in due if row.customer_id is None})
    ids = {row.customer_id for row in due if row.customer_id is not None}
    if nobodys:
        ids |= set((await connection.execute(_SHARED, columns(_SUBJECT, nobodys))).scalars())
    held = list((await connection.execute(_LOCK, {"ids": sorted(ids)})).scalars())
    values = {"ids": held, **columns(_SUBJECT, nobodys)}
    rows = (await connection.execute(_TAKE, values)).mappings().all()
    return [
        Waiting(
            trigger=row["trigger"],
            event=msgspec.json.decode(row["event"], type=Event),
            subject_id=row["subject_id"],
            heard_at=row["heard_at"],
            due_at=row["due_at"],
            traceparent=row["traceparent"],
        )
        for row in rows
    ]


async def postpone(connection: AsyncConnection, waiting: Sequence[Waiting]) -> None:
    """These are due when they say."""
    if waiting:
        rows = sorted((*each.key, each.due_at) for each in waiting)
        await connection.execute(_POSTPONE, columns(_POSTPONED, rows))


async def forget_waiting(connection: AsyncConnection, waiting: Sequence[Waiting]) -> None:
    """These wait no more."""
    if waiting:
        keys = sorted(each.key for each in waiting)
        await connection.execute(_FORGET, columns(_KEY, keys))


async def put_off_first(connection: AsyncConnection, now: datetime, until: datetime) -> list[str]:
    """What is due first, and all of its customer's, is due then; source and id of each event."""
    return list((await connection.execute(_PUT_OFF, {"now": now, "until": until})).scalars())


async def behind_s(connection: AsyncConnection, now: datetime) -> float:
    """For how many seconds the oldest that is due has been due; 0 where nothing is."""
    return float(await connection.scalar(_BEHIND, {"now": now}) or 0)


def _row(question: Question, programme: Programme) -> tuple[Any, ...]:
    occasion = question.occasion
    event = occasion.event
    return (
        question.trigger.key,
        event.source,
        event.id,
        occasion.subject_id,
        occasion.customer_id,
        msgspec.json.encode(event).decode(),
        question.planned_at(programme),
        question.due_at(programme),
        question.heard_at,
        question.traceparent,
    )
