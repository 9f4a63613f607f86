"""States of invitations that the world has not been told yet."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.domain.reasons import Reason
from services.trigger.store.rows import as_mapping, as_object, read_event, read_record
from shared.columns import columns, unnested
from shared.events import SurveyDecision, SurveyInvitation

# One process at a time tells; the lock ends with the transaction.
_ALONE: Final = text("SELECT pg_try_advisory_xact_lock(hashtext('earshot-trigger-outbox'))")
# What is about to be sent is told when it has been, unless sending takes long.
_PATIENCE: Final = timedelta(seconds=5)
_UNTOLD: Final = text("""
    SELECT * FROM invitations
    WHERE NOT published AND status <> 'sending'
      AND (status <> 'scheduled' OR send_at > :now OR created_at < :patience)
    LIMIT :most
""")
# The decisions whose invitation ended without having been sent changed with it.
_CHANGED: Final = text("""
    SELECT d.* FROM decisions d
    WHERE d.invitation_id = ANY(CAST(:ids AS text[])) AND d.decision = 'suppressed'
""")
_REVISIONS: Final = {"id": "text", "revision": "int"}
_TOLD: Final = text(
    f"UPDATE invitations i SET published = true FROM {unnested(_REVISIONS)}"  # noqa: S608
    " WHERE i.id = r.id AND i.revision = r.revision"
)


@dataclass(frozen=True, slots=True)
class News:
    """What is to be told, and the trace each invitation belongs to; reminders are none."""

    invitations: Sequence[SurveyInvitation]
    decisions: Sequence[SurveyDecision]
    traces: Sequence[str | None]


class Outbox:
    """Reads what is untold and, once it was told, says so in the rows."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @asynccontextmanager
    async def untold(self, most: int, now: datetime) -> AsyncIterator[News]:
        """Yield what is to be told; it counts as told when the block ends without an error."""
        values = {"now": now, "patience": now - _PATIENCE, "most": most}
        async with self._engine.begin() as connection:
            if not await connection.scalar(_ALONE):
                yield News((), (), ())
                return
            rows = (await connection.execute(_UNTOLD, values)).mappings().all()
            ended = [row["id"] for row in rows if row["status"] not in {"scheduled", "sent"}]
            changed: Sequence[Any] = ()
            if ended:
                changed = (await connection.execute(_CHANGED, {"ids": ended})).mappings().all()
            asked = [row for row in rows if row["reminder_of"] is None]
            traces = [row["traceparent"] for row in asked]
            yield News(list(map(read_record, asked)), list(map(read_decision, changed)), traces)
            if rows:
                told = sorted((row["id"], row["revision"]) for row in rows)
                await connection.execute(_TOLD, columns(_REVISIONS, told))


def read_decision(row: Any) -> SurveyDecision:
    """The record of `survey-decisions` of a row of the ledger."""
    event, reason = read_event(row), Reason(row["reason"])
    itself = row["decided"] == reason  # it has not become another with its invitation
    why = as_object(row["facts"]).get("why", "") if itself else ""
    return SurveyDecision(
        source=event.source,
        event_id=event.id,
        event_type=event.type,
        event_time=event.time,
        event=event,
        customer_id=row["customer_id"],
        subject_id=row["subject_id"],
        trigger=row["trigger"] or None,
        survey=row["survey"],
        decision=row["decision"],
        reason=reason,
        sentence=reason.with_words(why),
        invitation_id=row["invitation_id"],
        decided_at=row["decided_at"],
        programme=row["programme"],
        touchpoint=row["touchpoint"],
        segments=as_mapping(row["segments"]),
    )
