"""The audit trail: written with what it tells of, never changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain.audit import Entry

_NOTE: Final = sa.text("""
    INSERT INTO audit (at, by, action, subject, note, detail)
    VALUES (:at, :by, :action, :subject, :note, CAST(:detail AS jsonb))
""")
_LIST: Final = """
    SELECT seq, at, by, action, subject, note, detail FROM audit WHERE true {asked}
    ORDER BY at DESC, seq DESC LIMIT :most
"""
_ASKED: Final = {
    "subject": "subject = :subject",
    "by": "by = :by",
    "action": "action = :action",
    "begin": "at >= :begin",
    "end": "at < :end",
}
_CHANGES: Final = sa.text("""
    SELECT revision, change, at, record, before FROM (
        SELECT revision, change, at, record,
            lag(record) OVER (ORDER BY revision) AS before
        FROM changes WHERE alert_id = :id
    ) AS told WHERE revision > :after ORDER BY revision LIMIT :most
""")


@dataclass(frozen=True)
class Asked:
    """Which entries; None asks for any. `begin` is the first moment, `end` the first beyond."""

    subject: str | None = None
    by: str | None = None
    action: str | None = None
    begin: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True)
class Told:
    """A revision of an alert with its record and the one before, as they were published."""

    revision: int
    change: str
    at: datetime
    record: dict[str, Any]
    before: dict[str, Any] | None


async def note(connection: AsyncConnection, entry: Entry) -> None:
    """Write an entry, in the transaction of what it tells of."""
    values = msgspec.structs.asdict(entry)
    await connection.execute(_NOTE, values | {"detail": msgspec.json.encode(entry.detail).decode()})


async def list_entries(
    connection: AsyncConnection, asked: Asked, after: tuple[datetime, int] | None, most: int
) -> Sequence[tuple[int, Entry]]:
    """Entries with their numbers, newest first."""
    values = {name: value for name, value in vars(asked).items() if value is not None}
    conditions = [_ASKED[name] for name in values]
    if after is not None:
        conditions.append("(at, seq) < (:after_at, :after_seq)")
        values |= {"after_at": after[0], "after_seq": after[1]}
    statement = _LIST.format(asked="".join(f" AND {one}" for one in conditions))
    rows = await connection.execute(sa.text(statement), values | {"most": most})
    return [
        (seq, Entry(**dict(zip(Entry.__struct_fields__, rest, strict=True)))) for seq, *rest in rows
    ]


async def read_changes(
    connection: AsyncConnection, alert_id: str, after: int, most: int
) -> Sequence[Told]:
    """The revisions of an alert beyond one, oldest first."""
    rows = await connection.execute(_CHANGES, {"id": alert_id, "after": after, "most": most})
    return [
        Told(
            row.revision, row.change, row.at, msgspec.json.decode(row.record),
            msgspec.json.decode(row.before) if row.before else None,
        )
        for row in rows
    ]  # fmt: skip
