"""How far schedules have come, and who is due in them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.trigger.domain.customers import Customer
from services.trigger.domain.relational import Contact, Due
from services.trigger.domain.schedules import Leg, Position, Stretch
from services.trigger.store.rows import Row, as_mapping
from shared.columns import columns, insert_all
from shared.programme.surveys import AfterFirst

_BEGIN: Final = text(
    "INSERT INTO schedules (survey, position, moved_at) VALUES (:survey, :now, :now)"
    " ON CONFLICT DO NOTHING"
)
_TAKE: Final = text(
    "SELECT position, moved_at, done FROM schedules WHERE survey = :survey FOR UPDATE SKIP LOCKED"
)
_MOVE: Final = text(
    "UPDATE schedules SET position = :at, moved_at = :moved_at, done = :done WHERE survey = :survey"
)
_CONTACT: Final = (
    "c.customer_id, c.email, c.phone, c.locale, c.timezone, c.country, c.segments::text AS segments"
)
_IN_STRETCH: Final = text(
    f"SELECT {_CONTACT}, c.slot FROM contacts c"  # noqa: S608
    " WHERE c.slot >= :low AND c.slot < :high ORDER BY c.slot, c.customer_id LIMIT :most"
)
# Firsts are kept from when a survey asks for them; the ledger knows who was there before that.
_AFTER_FIRST: Final = text(f"""
    SELECT {_CONTACT}, f.at FROM firsts f JOIN contacts c ON c.customer_id = f.customer_id
    WHERE f.event_type = :type AND f.at >= :begin AND f.at < :end
      AND (f.at, f.customer_id) > (:begin, :done)
      AND NOT EXISTS (
          SELECT FROM decisions d WHERE d.customer_id = f.customer_id
          AND d.event_type = f.event_type AND d.event_time < f.at
      )
    ORDER BY f.at, f.customer_id LIMIT :most
""")  # noqa: S608
_FIRST: Final = {"customer_id": "text", "event_type": "text", "at": "timestamptz"}
_KEEP_FIRSTS: Final = insert_all(
    "firsts",
    _FIRST,
    {},
    "ON CONFLICT (customer_id, event_type) DO UPDATE SET at = excluded.at"
    " WHERE excluded.at < firsts.at",
)


async def take_schedule(connection: AsyncConnection, survey: str, now: datetime) -> Position | None:
    """Hold a survey's schedule until the transaction ends; None while another process does.

    One that is new begins now.
    """
    await connection.execute(_BEGIN, {"survey": survey, "now": now})
    row = (await connection.execute(_TAKE, {"survey": survey})).one_or_none()
    return None if row is None else Position(row.position, row.moved_at, row.done)


async def move_schedule(connection: AsyncConnection, survey: str, position: Position) -> None:
    """Say how far the held schedule has come."""
    values = {"at": position.at, "moved_at": position.moved_at, "done": position.done}
    await connection.execute(_MOVE, {"survey": survey, **values})


async def due_in_stretch(connection: AsyncConnection, stretch: Stretch, most: int) -> list[Due]:
    """Who is due in a stretch of slots, at most so many, the first due first."""
    values = {"low": stretch.low, "high": stretch.high, "most": most}
    rows = (await connection.execute(_IN_STRETCH, values)).mappings()
    subject_id = stretch.period.subject_id
    return [Due(_contact(row), subject_id, stretch.moment_of(row["slot"])) for row in rows]


async def due_after_first(
    connection: AsyncConnection, after: AfterFirst, leg: Leg, most: int
) -> list[Due]:
    """Who first did something so long ago, at most so many, the first due first."""
    wait: timedelta = after.wait
    times = {"begin": leg.begin - wait, "end": leg.end - wait}
    values = {"type": after.on, **times, "done": leg.done, "most": most}
    rows = (await connection.execute(_AFTER_FIRST, values)).mappings()
    subject_id = f"first:{after.on}"
    return [Due(_contact(row), subject_id, row["at"] + wait) for row in rows]


async def keep_firsts(
    connection: AsyncConnection, rows: Sequence[tuple[str, str, datetime]]
) -> None:
    """Keep when customers first did something: rows of (customer, event type, time).

    The earliest counts, in whatever order they come. The customers are locked.
    """
    earliest: dict[tuple[str, str], datetime] = {}
    for customer_id, event_type, at in rows:
        key = (customer_id, event_type)
        earliest[key] = min(at, earliest.get(key, at))
    if earliest:
        kept = [(*key, earliest[key]) for key in sorted(earliest)]
        await connection.execute(_KEEP_FIRSTS, columns(_FIRST, kept))


def _contact(row: Row) -> Contact:
    reach = ("email", "phone", "locale", "timezone", "country")
    known: dict[str, Any] = {name: row[name] for name in reach}
    return Contact(Customer(id=row["customer_id"], **known), as_mapping(row["segments"]))
