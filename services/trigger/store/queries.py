"""What the API reads: newest first, page by page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.domain.decisions import questions_of
from services.trigger.domain.facts import Facts
from services.trigger.domain.occasions import Occasion
from services.trigger.handlers import Desk
from services.trigger.handlers.deciding import wanted_by
from services.trigger.store.recall import recall
from services.trigger.tables import decisions, invitations

_again = invitations.alias()
_REMINDERS = (
    sa.select(sa.func.count())
    .where(_again.c.reminder_of == invitations.c.id, _again.c.status == "sent")
    .scalar_subquery()
)
_INVITATIONS = sa.select(invitations, _REMINDERS.label("reminders"))


@dataclass(frozen=True)
class Queries:
    """Reads of the ledger and of invitations."""

    engine: AsyncEngine

    async def decisions(
        self, where: Mapping[str, str], before: int | None, limit: int
    ) -> Sequence[sa.RowMapping]:
        """Rows of the ledger, newest first, one more than `limit` where there are more."""
        query = sa.select(decisions).order_by(decisions.c.seq.desc()).limit(limit + 1)
        query = query.where(*(decisions.c[name] == value for name, value in where.items()))
        if before is not None:
            query = query.where(decisions.c.seq < before)
        return await self._rows(query)

    async def invitations(
        self,
        where: Mapping[str, str],
        channel: str | None,
        before: tuple[datetime, str] | None,
        limit: int,
    ) -> Sequence[sa.RowMapping]:
        """Invitations, newest first, one more than `limit` where there are more; no reminders."""
        table = invitations.c
        query = _INVITATIONS.order_by(table.created_at.desc(), table.id.desc())
        query = query.where(table.reminder_of.is_(None))
        query = query.where(*(table[name] == value for name, value in where.items()))
        if channel is not None:
            query = query.where(table.channels[1] == channel)
        if before is not None:
            query = query.where(sa.tuple_(table.created_at, table.id) < sa.tuple_(*before))
        return await self._rows(query.limit(limit + 1))

    async def invitation(self, invitation_id: str) -> sa.RowMapping | None:
        """One invitation or reminder, or None."""
        query = _INVITATIONS.where(invitations.c.id == invitation_id)
        return next(iter(await self._rows(query)), None)

    async def facts(self, occasion: Occasion, desk: Desk) -> Facts:
        """The facts for a preview: read, not locked."""
        questions = questions_of(occasion, desk.programme, desk.now, desk.now)
        if not questions:
            return Facts(desk.channels)
        async with self.engine.connect() as connection:
            wanted = wanted_by(questions, questions, desk)
            memory = await recall(connection, wanted, desk, hold=False)
        return memory.facts_for_all(questions)

    async def _rows(self, query: sa.Select[Any]) -> Sequence[sa.RowMapping]:
        async with self.engine.connect() as connection:
            rows: Sequence[sa.RowMapping] = (await connection.execute(query)).mappings().all()
            return rows
