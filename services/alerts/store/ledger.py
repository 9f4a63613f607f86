"""The counted answers: one statement a table and batch."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain.answers import Answer, Change, Line, Place, Tick
from services.alerts.domain.silences import Maintenance
from services.alerts.store.lines import CLOSING
from services.alerts.store.silences import read_maintenance
from services.alerts.store.traced import keep_traces
from shared.columns import columns, unnested

_HOLD: Final = sa.text("SELECT pg_advisory_xact_lock_shared(:key)")
_CLOSED: Final = sa.text("SELECT metric, survey, closed_to FROM lines")
_LINE: Final = {"metric": "text", "survey": "text"}
_BEGIN: Final = sa.text(f"""
    INSERT INTO lines (metric, survey) SELECT * FROM {unnested(_LINE)} ON CONFLICT DO NOTHING
""")  # noqa: S608
_ANSWER: Final = {
    "id": "text",
    "version": "text",
    "metric": "text",
    "survey": "text",
    "minute": "int",
    "leaf": "text",
    "cluster": "text",
    "detractor": "boolean",
}
_NAMES: Final = ", ".join(_ANSWER)
_RECORD: Final = sa.text(f"""
    INSERT INTO counted ({_NAMES}) SELECT {_NAMES} FROM {unnested(_ANSWER)}
    ON CONFLICT (id) DO UPDATE SET ({_NAMES}) = ROW ({", ".join(f"excluded.{n}" for n in _ANSWER)})
    WHERE counted.version < excluded.version AND counted.minute > coalesce((
        SELECT l.closed_to FROM lines l
        WHERE l.metric = counted.metric AND l.survey = counted.survey), 0)
    RETURNING new.id, old.metric, old.survey, old.minute, old.leaf, old.cluster, old.detractor
""")  # noqa: S608
_TICK: Final = {
    "metric": "text",
    "survey": "text",
    "minute": "int",
    "leaf": "text",
    "cluster": "text",
    "answers": "int",
    "detractors": "int",
}
_ADD: Final = sa.text(f"""
    INSERT INTO ticks ({", ".join(_TICK)}) SELECT * FROM {unnested(_TICK)}
    ON CONFLICT (metric, survey, minute, md5(leaf), md5(cluster)) DO UPDATE SET
        answers = ticks.answers + excluded.answers,
        detractors = ticks.detractors + excluded.detractors
""")  # noqa: S608
_FORGET: Final = sa.text("DELETE FROM remarks WHERE id = ANY(CAST(:ids AS text[]))")
_REMARK: Final = {
    "id": "text",
    "metric": "text",
    "survey": "text",
    "minute": "int",
    "leaf": "text",
    "reasons": "text",
    "comment": "text",
}
_REMEMBER: Final = sa.text(f"""
    INSERT INTO remarks (id, metric, survey, minute, leaf, reasons, comment)
    SELECT id, metric, survey, minute, CAST(leaf AS jsonb), CAST(reasons AS jsonb), comment
    FROM {unnested(_REMARK)} ON CONFLICT (id) DO NOTHING
""")  # noqa: S608
_HEARD: Final = {
    "partition": "int",
    "metric": "text",
    "survey": "text",
    "lately": "timestamptz",
}
_NOTE: Final = sa.text(f"""
    INSERT INTO heard (log, partition, metric, survey, lately, newest)
    SELECT :log, partition, metric, survey, lately, lately FROM {unnested(_HEARD)}
    ON CONFLICT (log, partition, metric, survey) DO UPDATE SET
        lately = excluded.lately, newest = greatest(heard.newest, excluded.newest)
""")  # noqa: S608


class SqlLedger:
    """The ledger of one batch. Every call shares the caller's transaction."""

    def __init__(self, connection: AsyncConnection, log: str) -> None:
        self._connection = connection
        self._log = log

    async def closed_to(self, lines: Iterable[Line]) -> Mapping[Line, int]:
        """The last minute of each line that takes no evidence; none more close until we commit."""
        await self._connection.execute(_HOLD, {"key": CLOSING})
        rows = await self._connection.execute(_CLOSED)
        closed = {Line(metric, survey): minute for metric, survey, minute in rows}
        new = sorted(line for line in lines if line not in closed)
        if new:
            await self._connection.execute(_BEGIN, columns(_LINE, new))
        return closed

    async def maintenance(self, since: datetime) -> Maintenance:
        """The windows since then whose answers are no evidence."""
        return Maintenance(await read_maintenance(self._connection, since))

    async def record(self, answers: Sequence[Answer]) -> Sequence[Change]:
        """Store answers, sorted by id; return what counts now and where it counted before."""
        rows = [(a.id, a.version, *a.place, a.detractor) for a in answers]
        if not rows:
            return []
        found = await self._connection.execute(_RECORD, columns(_ANSWER, rows))
        stored = {answer.id: answer for answer in answers}
        return [
            Change(stored[name], None if place[0] is None else (Place(*place), detractor))
            for name, *place, detractor in found
        ]

    async def remember(self, changes: Sequence[Change]) -> None:
        """Keep what detractors said; an answer that changed is kept anew."""
        changed = sorted(change.answer.id for change in changes if change.before is not None)
        if changed:
            await self._connection.execute(_FORGET, {"ids": changed})
        rows = [
            (a.id, *a.place[:4], json.dumps(a.reasons, ensure_ascii=False), a.comment)
            for a, _ in changes
            if a.detractor and (a.reasons or a.comment)
        ]
        if rows:
            rows.sort(key=lambda row: row[0])
            await self._connection.execute(_REMEMBER, columns(_REMARK, rows))
        await keep_traces(self._connection, (change.answer for change in changes))

    async def add(self, ticks: Mapping[Place, Tick]) -> None:
        """Add to the sums, in the order of places."""
        rows = [(*place, *tick) for place, tick in ticks.items()]
        if rows:
            await self._connection.execute(_ADD, columns(_TICK, rows))

    async def note(self, newest: Mapping[tuple[int, Line], datetime]) -> None:
        """Keep the newest answer of each partition and line, of this batch and of all."""
        rows = [(number, *line, at) for (number, line), at in sorted(newest.items())]
        if rows:
            await self._connection.execute(_NOTE, columns(_HEARD, rows) | {"log": self._log})
