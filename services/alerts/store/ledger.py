"""The counted answers: one statement a table and batch."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain.answers import Answer, Change, Place, Tick
from services.alerts.store.columns import columns, unnested
from services.alerts.store.position import CLOSING

_HOLD: Final = sa.text("SELECT pg_advisory_xact_lock_shared(:key)")
_OLDEST: Final = sa.text("SELECT closed_to + 1 FROM position")
_ANSWER: Final = {
    "id": "text",
    "version": "text",
    "minute": "int",
    "metric": "text",
    "survey": "text",
    "leaf": "text",
    "cluster": "text",
    "detractor": "boolean",
}
_NAMES: Final = ", ".join(_ANSWER)
_RECORD: Final = sa.text(f"""
    INSERT INTO counted ({_NAMES}) SELECT {_NAMES} FROM {unnested(_ANSWER)}
    ON CONFLICT (id) DO UPDATE SET ({_NAMES}) = ROW ({", ".join(f"excluded.{n}" for n in _ANSWER)})
    WHERE counted.version < excluded.version AND counted.minute >= :oldest_open
    RETURNING new.id, old.minute, old.metric, old.survey, old.leaf, old.cluster, old.detractor
""")  # noqa: S608
_TICK: Final = {
    "minute": "int",
    "metric": "text",
    "survey": "text",
    "leaf": "text",
    "cluster": "text",
    "answers": "int",
    "detractors": "int",
}
_ADD: Final = sa.text(f"""
    INSERT INTO ticks ({", ".join(_TICK)}) SELECT * FROM {unnested(_TICK)}
    ON CONFLICT (minute, metric, survey, md5(leaf), md5(cluster)) DO UPDATE SET
        answers = ticks.answers + excluded.answers,
        detractors = ticks.detractors + excluded.detractors
""")  # noqa: S608
_FORGET: Final = sa.text("DELETE FROM remarks WHERE id = ANY(CAST(:ids AS text[]))")
_REMARK: Final = {
    "id": "text",
    "minute": "int",
    "metric": "text",
    "survey": "text",
    "leaf": "text",
    "reasons": "text",
    "comment": "text",
}
_REMEMBER: Final = sa.text(f"""
    INSERT INTO remarks (id, minute, metric, survey, leaf, reasons, comment)
    SELECT id, minute, metric, survey, CAST(leaf AS jsonb), CAST(reasons AS jsonb), comment
    FROM {unnested(_REMARK)} ON CONFLICT (id) DO NOTHING
""")  # noqa: S608
_HEARD: Final = {"partition": "int", "newest": "timestamptz"}
_NOTE: Final = sa.text(f"""
    INSERT INTO heard (log, partition, newest) SELECT :log, partition, newest
    FROM {unnested(_HEARD)}
    ON CONFLICT (log, partition) DO UPDATE SET newest = greatest(heard.newest, excluded.newest)
""")  # noqa: S608


class SqlLedger:
    """The ledger of one batch. Every call shares the caller's transaction."""

    def __init__(self, connection: AsyncConnection, log: str) -> None:
        self._connection = connection
        self._log = log

    async def oldest_open(self) -> int:
        """The oldest minute that takes evidence; the judge closes none until this one commits."""
        await self._connection.execute(_HOLD, {"key": CLOSING})
        return int((await self._connection.execute(_OLDEST)).scalar_one())

    async def record(self, answers: Sequence[Answer], oldest_open: int) -> Sequence[Change]:
        """Store answers, sorted by id; return what counts now and where it counted before."""
        rows = [
            (a.id, a.version, a.place.minute, *a.place[1:], a.detractor)
            for a in answers
        ]  # fmt: skip
        if not rows:
            return []
        found = await self._connection.execute(
            _RECORD, columns(_ANSWER, rows) | {"oldest_open": oldest_open}
        )
        stored = {answer.id: answer for answer in answers}
        return [
            Change(
                stored[row.id],
                None
                if row.minute is None
                else (Place(row.minute, row.metric, row.survey, row.leaf, row.cluster), row[6]),
            )
            for row in found
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
            await self._connection.execute(_REMEMBER, columns(_REMARK, sorted(rows)))

    async def add(self, ticks: Mapping[Place, Tick]) -> None:
        """Add to the sums, in the order of places."""
        rows = [(*place, *tick) for place, tick in ticks.items()]
        if rows:
            await self._connection.execute(_ADD, columns(_TICK, rows))

    async def note(self, newest: Mapping[int, datetime]) -> None:
        """Keep each partition's newest answer."""
        values = columns(_HEARD, sorted(newest.items()))
        await self._connection.execute(_NOTE, values | {"log": self._log})
