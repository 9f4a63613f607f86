"""Letters after which a reminder is due."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.trigger.domain.reminders import Unanswered
from services.trigger.store.rows import read_invitation

# Whether an answer to the question of invitation `i` has come.
ANSWERED: Final = (
    "EXISTS (SELECT FROM answers a WHERE a.invitation_id = coalesce(i.reminder_of, i.id))"
)
_DUE: Final = "i.status = 'sent' AND i.remind_at <= :now"
_TO_REMIND: Final = text(
    f"SELECT i.customer_id FROM invitations i WHERE {_DUE} ORDER BY i.remind_at LIMIT :most"  # noqa: S608
)
_TAKE: Final = text(f"""
    WITH due AS (
        SELECT i.id, i.remind_at AS due_at FROM invitations i
        WHERE {_DUE} AND i.customer_id = ANY(CAST(:ids AS text[]))
        ORDER BY i.remind_at, i.id LIMIT :most FOR UPDATE OF i SKIP LOCKED
    )
    UPDATE invitations i SET remind_at = NULL FROM due WHERE i.id = due.id
    RETURNING i.*, due.due_at, {ANSWERED} AS answered
""")  # noqa: S608


_PUT_OFF: Final = text("""
    UPDATE invitations
    SET remind_at = CASE WHEN expires_at > :until THEN CAST(:until AS timestamptz) END
    WHERE id = ANY(CAST(:ids AS text[])) AND remind_at IS NOT NULL
""")


class SentLetters:
    """`handlers.Sent` on one connection; the caller's transaction is the unit.

    `taken`: the ids of the letters that were taken, also of one that cannot be read.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.taken: Sequence[str] = ()

    async def to_remind(self, most: int, now: datetime) -> Sequence[str]:
        values = {"now": now, "most": most}
        return (await self._connection.execute(_TO_REMIND, values)).scalars().all()

    async def take_unanswered(
        self, customers: Sequence[str], most: int, now: datetime
    ) -> Sequence[Unanswered]:
        values = {"ids": customers, "most": most, "now": now}
        rows = (await self._connection.execute(_TAKE, values)).mappings().all()
        self.taken = [row["id"] for row in rows]
        letters = [
            Unanswered(read_invitation(row), row["due_at"], row["answered"], row["traceparent"])
            for row in rows
        ]
        return sorted(letters, key=lambda last: (last.due_at, last.invitation.id))


async def put_off(connection: AsyncConnection, letters: Sequence[str], until: datetime) -> None:
    """After these letters the reminder is due then; never where the question is over by then."""
    await connection.execute(_PUT_OFF, {"ids": letters, "until": until})
