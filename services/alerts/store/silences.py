"""Silences and maintenance windows; what was one stays stored."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain.silences import Matcher, Phase, Silence

_PUT: Final = sa.text("""
    INSERT INTO silences (id, metric, survey, segment, begins_at, ends_at, maintenance, by, note,
        created_at, ended_by)
    VALUES (:id, :metric, :survey, CAST(:segment AS jsonb), :begins_at, :ends_at, :maintenance, :by,
        :note, :created_at, :ended_by)
    ON CONFLICT (id) DO UPDATE SET begins_at = excluded.begins_at, ends_at = excluded.ends_at,
        ended_by = excluded.ended_by
""")
_ONE: Final = sa.text("SELECT * FROM silences WHERE id = :id FOR UPDATE")
_LASTING: Final = sa.text("""
    SELECT * FROM silences WHERE begins_at <= :now AND ends_at > :now ORDER BY id
""")
_MAINTENANCE: Final = sa.text("""
    SELECT * FROM silences WHERE maintenance AND ends_at > :since ORDER BY id
""")
_LIST: Final = """
    SELECT * FROM silences WHERE {phase} {after} ORDER BY created_at DESC, id DESC LIMIT :most
"""
_PHASES: Final = {
    None: "true",
    Phase.PENDING: "begins_at > :now",
    Phase.ACTIVE: "begins_at <= :now AND ends_at > :now",
    Phase.EXPIRED: "ends_at <= :now",
}


async def put_silence(connection: AsyncConnection, silence: Silence) -> None:
    """Store a silence, new or ended."""
    values = msgspec.structs.asdict(silence)
    matchers = values.pop("matchers")
    values |= {"metric": matchers.metric, "survey": matchers.survey}
    segment = msgspec.json.encode(matchers.segment).decode()
    await connection.execute(_PUT, values | {"segment": segment})


async def find_silence(connection: AsyncConnection, silence_id: str) -> Silence | None:
    """One silence, locked until the transaction ends."""
    row = (await connection.execute(_ONE, {"id": silence_id})).mappings().one_or_none()
    return None if row is None else _read(row)


async def list_silences(
    connection: AsyncConnection,
    phase: Phase | None,
    now: datetime,
    after: tuple[datetime, str] | None,
    most: int,
) -> Sequence[Silence]:
    """Silences, the one that was made last first."""
    values: dict[str, Any] = {"most": most}
    if phase is not None:
        values["now"] = now
    if after is not None:
        values |= {"created_at": after[0], "id": after[1]}
    statement = _LIST.format(
        phase=_PHASES[phase],
        after="" if after is None else "AND (created_at, id) < (:created_at, :id)",
    )
    rows = await connection.execute(sa.text(statement), values)
    return [_read(row) for row in rows.mappings()]


async def read_lasting(connection: AsyncConnection, now: datetime) -> Sequence[Silence]:
    """The silences that last at that moment."""
    rows = await connection.execute(_LASTING, {"now": now})
    return [_read(row) for row in rows.mappings()]


async def read_maintenance(connection: AsyncConnection, since: datetime) -> Sequence[Silence]:
    """The maintenance windows that were not over at that moment."""
    rows = await connection.execute(_MAINTENANCE, {"since": since})
    return [_read(row) for row in rows.mappings()]


def _read(row: Any) -> Silence:
    values = dict(row)
    parts = {name: values.pop(name) for name in ("metric", "survey", "segment")}
    return Silence(matchers=Matcher(**parts), **values)
