"""Suppressions: stored, and taken out of what is scheduled, under the customers' locks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.trigger.domain.suppressions import Suppression
from shared.columns import columns, insert_all

_ROW: Final = {
    "customer_id": "text",
    "channel": "text",
    "reason": "text",
    "by": "text",
    "at": "timestamptz",
}
_STORE: Final = insert_all(
    "suppressions",
    _ROW,
    {},
    "ON CONFLICT (customer_id, channel) DO UPDATE SET reason = excluded.reason,"
    " by = excluded.by, at = excluded.at",
)
_SAID_NO: Final = (
    "EXISTS (SELECT FROM consents n WHERE n.customer_id = i.customer_id"
    " AND n.channel = c.name AND NOT n.said)"
)
# The channels of invitation `i` that may still be used, in their order: neither suppressed nor
# refused by an event.
OPEN_CHANNELS: Final = f"""
    ARRAY(SELECT c.name FROM unnest(i.channels) WITH ORDINALITY AS c(name, place)
        WHERE NOT EXISTS (SELECT FROM suppressions s WHERE s.customer_id = i.customer_id
            AND s.channel IN ('*', c.name)) AND NOT {_SAID_NO} ORDER BY c.place)
"""  # noqa: S608
# Why none of the channels of invitation `i` may be used: as decisions say it.
WHY_CLOSED: Final = (
    f"CASE WHEN (SELECT bool_and({_SAID_NO}) FROM unnest(i.channels) AS c(name))"  # noqa: S608
    " THEN 'no-consent' ELSE 'opted-out' END"
)
# Waits for a claim under way: that commits `sending`, and then the row is no longer scheduled.
_TAKE_OUT: Final = text(f"""
    WITH hit AS (
        SELECT i.id, {OPEN_CHANNELS} AS open FROM invitations i
        WHERE i.customer_id = ANY(CAST(:ids AS text[])) AND i.status = 'scheduled'
        ORDER BY i.id FOR UPDATE OF i
    ), cut AS (
        UPDATE invitations i SET
            status = CASE WHEN hit.open = '{{}}' THEN 'cancelled' ELSE i.status END,
            channels = CASE WHEN hit.open = '{{}}' THEN i.channels ELSE hit.open END,
            attempts = CASE WHEN hit.open[1] = i.channels[1] THEN i.attempts ELSE 0 END,
            revision = i.revision + 1, published = false
        FROM hit WHERE i.id = hit.id AND hit.open <> i.channels
        RETURNING i.id, i.status
    )
    UPDATE decisions d SET decision = 'suppressed', reason = 'opted-out'
    FROM cut WHERE d.invitation_id = cut.id AND cut.status = 'cancelled'
""")  # noqa: S608
_LOCK: Final = text(
    "INSERT INTO customers (id, seen_at) VALUES (:id, :now)"
    " ON CONFLICT (id) DO UPDATE SET seen_at = customers.seen_at"
)
_OWNER: Final = text("SELECT customer_id FROM invitations WHERE id = :id")
_UNDER_WAY: Final = text(
    "SELECT EXISTS (SELECT FROM invitations i WHERE i.customer_id = :id AND i.status = 'sending'"
    " AND EXISTS (SELECT FROM suppressions s WHERE s.customer_id = i.customer_id"
    " AND s.channel IN ('*', i.channels[1])))"
)
_READ: Final = text(
    "SELECT channel, reason, by, at FROM suppressions WHERE customer_id = :id ORDER BY channel"
)
_LIFT: Final = text("DELETE FROM suppressions WHERE customer_id = :id")


async def store_suppressions(
    connection: AsyncConnection, suppressions: Sequence[Suppression]
) -> None:
    """Store them and take their channels from what is scheduled; the customers are locked."""
    newest = {
        (s.customer_id, channel): (s.customer_id, channel, s.ground, s.by, s.at)
        for s in sorted(suppressions, key=lambda s: s.at)
        for channel in s.rows
    }
    rows = [newest[key] for key in sorted(newest)]
    await connection.execute(_STORE, columns(_ROW, rows))
    ids = sorted({suppression.customer_id for suppression in suppressions})
    await connection.execute(_TAKE_OUT, {"ids": ids})


@dataclass(frozen=True)
class SuppressionStore:
    """Suppressions one customer at a time, for the API."""

    engine: AsyncEngine

    async def owner(self, invitation_id: str) -> str | None:
        """Whose invitation it is; None if there is no such."""
        async with self.engine.connect() as connection:
            owner = await connection.scalar(_OWNER, {"id": invitation_id})
            return None if owner is None else str(owner)

    async def add(self, suppression: Suppression) -> None:
        """Store it under the customer's lock: what is booked after this sees it."""
        async with self.engine.begin() as connection:
            await connection.execute(_LOCK, {"id": suppression.customer_id, "now": suppression.at})
            await store_suppressions(connection, [suppression])

    async def under_way(self, customer_id: str) -> bool:
        """Whether a send that is now suppressed has begun and not ended.

        What was scheduled again meanwhile is taken out first. That also waits for a claim which
        began before the suppression was committed, and so did not see it.
        """
        async with self.engine.begin() as connection:
            await connection.execute(_TAKE_OUT, {"ids": [customer_id]})
            return bool(await connection.scalar(_UNDER_WAY, {"id": customer_id}))

    async def read(self, customer_id: str) -> Sequence[RowMapping]:
        """The customer's suppressions, by channel."""
        async with self.engine.connect() as connection:
            return (await connection.execute(_READ, {"id": customer_id})).mappings().all()

    async def lift(self, customer_id: str, now: datetime) -> int:
        """Remove all of the customer's; how many there were."""
        async with self.engine.begin() as connection:
            await connection.execute(_LOCK, {"id": customer_id, "now": now})
            return (await connection.execute(_LIFT, {"id": customer_id})).rowcount
