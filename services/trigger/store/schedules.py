"""How far schedules have come, and who is due in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.trigger.domain.customers import Customer
from services.trigger.domain.relational import Contact, Due
from services.trigger.domain.schedules import Leg, Position, Stretch
from services.trigger.store.rows import Row, as_mapping
from shared.columns import columns, unnested
from shared.programme.surveys import AfterFirst

_BEGIN: Final = text(
    "INSERT INTO schedules (survey, position, moved_at) VALUES (:survey, :now, :now)"
    " ON CONFLICT DO NOTHING"
)
_TAKE: Final = text(
    "SELECT position, moved_at, done FROM schedules WHERE survey = :survey FOR UPDATE SKIP LOCKED"
)
_POSITIONS: Final = text("SELECT survey, position FROM schedules")
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
_AFTER_FIRST: Final = text(f"""
    SELECT {_CONTACT}, f.at FROM firsts f JOIN contacts c ON c.customer_id = f.customer_id
    WHERE f.event_type = :type AND f.at >= :begin AND f.at < :end
      AND (f.at, f.customer_id) > (:begin, :done)
    ORDER BY f.at, f.customer_id LIMIT :most
""")  # noqa: S608
_FIRST: Final = {"customer_id": "text", "event_type": "text", "at": "timestamptz"}
# Firsts are kept from when a survey asks for them; the ledger knows who was there before that.
_KNOWN_OR_FIRST: Final = """CASE WHEN EXISTS (
    SELECT FROM decisions d WHERE d.customer_id = r.customer_id
    AND d.event_type = r.event_type AND d.event_time < r.at
) THEN '-infinity' ELSE r.at END"""


def _keep(end: str) -> TextClause:
    return text(f"""
        INSERT INTO firsts (customer_id, event_type, at)
        SELECT r.customer_id, r.event_type, {_KNOWN_OR_FIRST} FROM {unnested(_FIRST)}
        WHERE NOT EXISTS (
            SELECT FROM firsts f WHERE f.customer_id = r.customer_id
            AND f.event_type = r.event_type AND f.at <= r.at
        )
        ON CONFLICT (customer_id, event_type) DO {end}
    """)  # noqa: S608


# What came late, and moved nothing, is known to the ledger too: it makes nobody an old customer.
_KEEP_EARLIER: Final = _keep(
    "UPDATE SET at = excluded.at WHERE excluded.at < firsts.at AND excluded.at > '-infinity'"
)
_KEEP_NEW: Final = _keep("NOTHING")
# Longer than a schedule moves while what is kept now is not yet seen by it.
_NEAR: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Found:
    """A customer who is due, as stored: one who cannot be read must not hide the others."""

    customer_id: str
    subject_id: str
    moment: datetime
    row: Row

    def read(self) -> Due:
        """Raises ValueError where what is stored of the customer is not what it should be."""
        return Due(_contact(self.row), self.subject_id, self.moment)


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


async def read_positions(connection: AsyncConnection) -> dict[str, datetime]:
    """How far each survey's schedule has come, whoever holds it."""
    rows = await connection.execute(_POSITIONS)
    return {row.survey: row.position for row in rows}


async def due_in_stretch(connection: AsyncConnection, stretch: Stretch, most: int) -> list[Found]:
    """Who is due in a stretch of slots, at most so many, the first due first."""
    values = {"low": stretch.low, "high": stretch.high, "most": most}
    rows = (await connection.execute(_IN_STRETCH, values)).mappings()
    subject_id, moment_of = stretch.period.subject_id, stretch.moment_of
    return [Found(row["customer_id"], subject_id, moment_of(row["slot"]), row) for row in rows]


async def due_after_first(
    connection: AsyncConnection, after: AfterFirst, leg: Leg, most: int
) -> list[Found]:
    """Who first did something so long ago, at most so many, the first due first."""
    wait: timedelta = after.wait
    times = {"begin": leg.begin - wait, "end": leg.end - wait}
    values = {"type": after.on, **times, "done": leg.done, "most": most}
    rows = (await connection.execute(_AFTER_FIRST, values)).mappings()
    subject_id = f"first:{after.on}"
    return [Found(row["customer_id"], subject_id, row["at"] + wait, row) for row in rows]


async def keep_firsts(
    connection: AsyncConnection,
    rows: Sequence[tuple[str, str, datetime]],
    asking: Mapping[str, AfterFirst],
) -> None:
    """Keep when customers first did something, for these surveys: (customer, event type, time).

    The earliest counts, in whatever order they come, as long as a schedule has not gone by it: who
    would have been asked already is asked by what was known. Whoever did the same before the
    surveys asked for it is no first. The customers are locked.
    """
    if not rows:
        return
    positions = await read_positions(connection)
    gone: dict[str, datetime] = {}
    for survey, after in asking.items():
        if survey in positions:
            at = positions[survey] - after.wait + _NEAR
            gone[after.on] = max(at, gone.get(after.on, at))
    ahead = _earliest([row for row in rows if row[1] not in gone or row[2] >= gone[row[1]]])
    late = _earliest([row for row in rows if row[1] in gone and row[2] < gone[row[1]]])
    for statement, kept in ((_KEEP_EARLIER, ahead), (_KEEP_NEW, late)):
        if kept:
            await connection.execute(statement, columns(_FIRST, kept))


def _earliest(rows: Sequence[tuple[str, str, datetime]]) -> list[tuple[str, str, datetime]]:
    earliest: dict[tuple[str, str], datetime] = {}
    for customer_id, event_type, at in rows:
        key = (customer_id, event_type)
        earliest[key] = min(at, earliest.get(key, at))
    return [(*key, earliest[key]) for key in sorted(earliest)]


def _contact(row: Row) -> Contact:
    reach = ("email", "phone", "locale", "timezone", "country")
    known: dict[str, Any] = {name: row[name] for name in reach}
    return Contact(Customer(id=row["customer_id"], **known), as_mapping(row["segments"]))
