"""Invitations on their way out: claimed, and settled.

A claim is committed before anything is sent, and checks suppression, consent and, before it
reminds, the answers in its own statement.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.domain.invitations import Status, Step
from services.trigger.domain.letters import Letter
from services.trigger.store.reminders import ANSWERED
from services.trigger.store.rows import read_letter
from services.trigger.store.suppressions import OPEN_CHANNELS, WHY_CLOSED
from shared.columns import columns, unnested
from shared.senders import SEND_WITHIN, lease_for

LEASE: Final = lease_for(SEND_WITHIN)
_POINTLESS: Final = f"(i.reminder_of IS NOT NULL AND {ANSWERED})"
# What is due becomes `sending`, or `cancelled` where no channel is left or what it reminds of has
# been answered, or `expired`; the decision in the ledger follows.
_CLAIM: Final = text(f"""
    WITH due AS (
        SELECT i.id, i.expires_at <= :now AS late, {_POINTLESS} AS pointless,
            {OPEN_CHANNELS} AS open
        FROM invitations i
        WHERE i.status = 'scheduled' AND i.channels[1] = :channel AND i.send_at <= :now
          AND (CAST(:reminders AS boolean) OR i.reminder_of IS NULL)
        ORDER BY i.send_at LIMIT :most FOR UPDATE OF i SKIP LOCKED
    ), taken AS (
        UPDATE invitations i SET
            status = CASE WHEN due.late THEN 'expired'
                WHEN due.pointless OR due.open = '{{}}' THEN 'cancelled' ELSE 'sending' END,
            channels = CASE WHEN due.open = '{{}}' THEN i.channels ELSE due.open END,
            attempts = CASE WHEN due.open[1] = i.channels[1] THEN i.attempts ELSE 0 END,
            published = i.published
                AND NOT (due.late OR due.pointless OR due.open <> i.channels),
            revision = i.revision + CASE
                WHEN due.late OR due.pointless OR due.open <> i.channels THEN 1 ELSE 0 END,
            claim = :claim, claimed_at = :now, held = true
        FROM due WHERE i.id = due.id RETURNING i.*, due.pointless
    ), told AS (
        UPDATE decisions d SET decision = 'suppressed',
            reason = CASE WHEN i.status = 'expired' THEN 'expired'
                WHEN i.pointless THEN 'answered' ELSE {WHY_CLOSED} END
        FROM taken i WHERE d.invitation_id = i.id AND i.status <> 'sending'
    )
    SELECT taken.*, c.email, c.phone, c.locale, c.timezone
    FROM taken LEFT JOIN contacts c USING (customer_id)
""")  # noqa: S608
# What stayed in `sending` is sent again where the receiver knows repeats and the survey still
# runs. A mail that was never handed over is due as before. Else nobody knows.
_RETAKE: Final = text(f"""
    WITH stale AS (
        SELECT i.id, CASE
            WHEN i.held AND i.channels[1] <> ALL(CAST(:repeatable AS text[])) THEN 'scheduled'
            WHEN i.expires_at > :now AND NOT {_POINTLESS}
                AND i.channels[1] = ANY({OPEN_CHANNELS})
                AND (i.resend_on_doubt OR i.channels[1] = ANY(CAST(:repeatable AS text[])))
                THEN 'sending'
            ELSE 'unknown' END AS becomes
        FROM invitations i WHERE i.status = 'sending' AND i.claimed_at < :before
        ORDER BY i.claimed_at LIMIT :most FOR UPDATE OF i SKIP LOCKED
    ), taken AS (
        UPDATE invitations i SET
            status = s.becomes, claimed_at = :now, held = s.becomes = 'sending',
            revision = i.revision + CASE s.becomes WHEN 'unknown' THEN 1 ELSE 0 END,
            published = i.published AND s.becomes <> 'unknown',
            invited_at = CASE s.becomes WHEN 'unknown' THEN i.claimed_at END,
            detail = CASE s.becomes WHEN 'unknown'
                THEN 'the sender stopped before it was known whether it had gone out'
                ELSE i.detail END,
            claim = CASE s.becomes WHEN 'unknown' THEN i.claim ELSE :claim END
        FROM stale s WHERE i.id = s.id RETURNING i.*
    )
    SELECT taken.*, c.email, c.phone, c.locale, c.timezone
    FROM taken LEFT JOIN contacts c USING (customer_id)
""")  # noqa: S608
_CLAIMED: Final = {"id": "text", "claim": "uuid"}
_HAND_OVER: Final = text(f"""
    UPDATE invitations i SET held = false FROM {unnested(_CLAIMED)}
    WHERE i.id = r.id AND i.claim = r.claim AND i.status = 'sending' RETURNING i.id
""")  # noqa: S608
_SETTLED: Final = {
    "id": "text",
    "claim": "uuid",
    "status": "text",
    "channels": "text",
    "attempts": "int",
    "send_at": "timestamptz",
    "remind_at": "timestamptz",
    "detail": "text",
}
# Only the claim that sent may settle; one that was given up as `unknown` may still be known.
_SETTLE: Final = text(f"""
    WITH settled AS (
        UPDATE invitations i SET
            status = r.status, channels = string_to_array(r.channels, ','),
            attempts = r.attempts, detail = r.detail, held = false,
            send_at = CASE WHEN r.status = 'scheduled' THEN r.send_at ELSE i.send_at END,
            invited_at = CASE WHEN r.status IN ('sent', 'unknown') THEN r.send_at END,
            remind_at = r.remind_at,
            published = i.published AND r.status = 'scheduled'
                AND string_to_array(r.channels, ',') = i.channels,
            revision = i.revision + CASE WHEN r.status = 'scheduled'
                AND string_to_array(r.channels, ',') = i.channels THEN 0 ELSE 1 END
        FROM {unnested(_SETTLED)}
        WHERE i.id = r.id AND i.claim = r.claim AND i.status IN ('sending', 'unknown')
        RETURNING i.id, i.status
    ), told AS (
        UPDATE decisions d SET decision = 'suppressed',
            reason = CASE settled.status WHEN 'expired' THEN 'expired' ELSE 'channel-failed' END
        FROM settled
        WHERE d.invitation_id = settled.id AND settled.status IN ('undeliverable', 'expired')
    )
    SELECT status FROM settled
""")  # noqa: S608


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a claim took: letters to be sent, and the states of those that ended instead."""

    letters: Sequence[Letter]
    ended: Sequence[Status]


@dataclass(frozen=True, slots=True)
class Settlement:
    """What becomes of one letter after its try, and when its customer is to be reminded."""

    letter: Letter
    step: Step
    detail: str | None
    remind_at: datetime | None = None


class DispatchStore:
    """The table `invitations` as the dispatch worker uses it; each call its own transaction."""

    def __init__(
        self, engine: AsyncEngine, *, repeatable: AbstractSet[str], lease: timedelta = LEASE
    ) -> None:
        self._engine = engine
        self._repeatable = sorted(repeatable)
        self._lease = lease

    async def claim(
        self, channel: str, most: int, now: datetime, *, reminders: bool = True
    ) -> Claimed:
        """Take what is due by a channel, at most so many; committed when this returns."""
        values = {"channel": channel, "most": most, "now": now, "reminders": reminders}
        return await self._take(_CLAIM, values)

    async def retake(self, most: int, now: datetime) -> Claimed:
        """Take what its sender had for longer than the lease."""
        values = {"most": most, "now": now, "before": now - self._lease}
        return await self._take(_RETAKE, values | {"repeatable": self._repeatable})

    async def hand_over(self, letters: Sequence[Letter]) -> AbstractSet[str]:
        """Note that letters may have gone out from now on; the ids of those that are still ours."""
        rows = sorted((letter.id, letter.claim) for letter in letters)
        async with self._engine.begin() as connection:
            ours = await connection.execute(_HAND_OVER, columns(_CLAIMED, rows))
            return set(ours.scalars())

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[Status]:
        """Store what became of the letters that are still ours; their new states."""
        rows = [
            (
                *(s.letter.id, s.letter.claim, s.step.status, ",".join(s.step.channels)),
                *(s.step.attempts, s.step.send_at, s.remind_at, s.detail),
            )
            for s in sorted(settlements, key=lambda s: s.letter.id)
        ]
        async with self._engine.begin() as connection:
            states = await connection.execute(_SETTLE, columns(_SETTLED, rows))
            return [Status(state) for state in states.scalars()]

    async def _take(self, statement: TextClause, values: dict[str, Any]) -> Claimed:
        async with self._engine.begin() as connection:
            found = await connection.execute(statement, values | {"claim": uuid4()})
            rows = found.mappings().all()
        letters = [read_letter(row) for row in rows if row["status"] == Status.SENDING]
        states = [Status(row["status"]) for row in rows]
        ended = [s for s in states if s not in {Status.SENDING, Status.SCHEDULED}]
        return Claimed(letters, ended)
