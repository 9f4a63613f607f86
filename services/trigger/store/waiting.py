"""What waits to be decided: stored, taken when it is due, and forgotten."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.trigger.domain.questions import Question
from services.trigger.handlers import Waiting
from services.trigger.store.turns import TOGETHER
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
# Customers whom others hold are passed over, so that they hide nobody behind them.
_HOLD_DUE: Final = text("""
    SELECT c.id FROM waiting w JOIN customers c ON c.id = w.customer_id
    WHERE w.due_at <= :now ORDER BY w.due_at, c.id LIMIT :most FOR UPDATE OF c SKIP LOCKED
""")
_DUE_OF_NOBODY: Final = text("""
    SELECT trigger, subject_id FROM waiting
    WHERE customer_id IS NULL AND due_at <= :now ORDER BY due_at, subject_id LIMIT :most
""")
_BEHIND: Final = text("""
    SELECT coalesce(extract(epoch FROM greatest(:now - min(due_at), interval '0')), 0)::float
    FROM waiting
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
# Of a customer what comes before something that is due, or settles with it; the rest can wait.
# What names nobody goes with the customers of its subject, and waits for those that others hold.
_TAKE: Final = text(f"""
    WITH turn AS (
        SELECT customer_id, max(planned_at) AS last FROM waiting
        WHERE customer_id = ANY(CAST(:ids AS text[])) AND due_at <= :now GROUP BY customer_id
    ), due AS (
        SELECT DISTINCT trigger, subject_id, customer_id FROM waiting
        WHERE customer_id = ANY(CAST(:ids AS text[])) AND due_at <= :now
    )
    SELECT trigger, event::text, subject_id, heard_at, planned_at, due_at, traceparent
    FROM waiting w
    WHERE customer_id = ANY(CAST(:ids AS text[])) AND (
            planned_at <= (SELECT last FROM turn WHERE turn.customer_id = w.customer_id)
            OR (trigger, subject_id, customer_id) IN (SELECT * FROM due)
            OR (trigger, subject_id) IN (SELECT r.trigger, r.subject_id FROM {unnested(_SUBJECT)}))
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
    await connection.execute(TOGETHER)
    asked = {"now": now, "most": most}
    held = set((await connection.execute(_HOLD_DUE, asked)).scalars())
    nobodys = sorted({tuple(row) for row in await connection.execute(_DUE_OF_NOBODY, asked)})
    if nobodys:
        shared = (await connection.execute(_SHARED, columns(_SUBJECT, nobodys))).scalars()
        others = sorted(set(shared) - held)
        held |= set((await connection.execute(_LOCK, {"ids": others})).scalars())
    if not (held or nobodys):
        return ()
    values = {"ids": sorted(held), "now": now, **columns(_SUBJECT, nobodys)}
    rows = (await connection.execute(_TAKE, values)).mappings().all()
    return [
        Waiting(
            trigger=row["trigger"],
            event=msgspec.json.decode(row["event"], type=Event),
            subject_id=row["subject_id"],
            heard_at=row["heard_at"],
            planned_at=row["planned_at"],
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
        question.turn_at(programme),
        question.due_at(programme),
        question.heard_at,
        question.traceparent,
    )
