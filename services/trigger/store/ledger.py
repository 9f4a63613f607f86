"""The handlers' memory in PostgreSQL: each call one statement for the whole batch."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.trigger.domain.decisions import Decision
from services.trigger.domain.suppressions import Suppression
from services.trigger.handlers import Booking, EventKey
from services.trigger.store.contacts import CONTACT, KEEP_CONTACTS, merged
from services.trigger.store.suppressions import store_suppressions
from shared.columns import columns, insert_all

_LOCK: Final = text(
    "INSERT INTO customers (id, seen_at) SELECT u, :now FROM unnest(CAST(:ids AS text[])) AS u"
    " ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at"
)
_REMEMBER: Final = text(
    "INSERT INTO events (source, id, received_at)"
    " SELECT u.source, u.id, :now"
    " FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[])) AS u(source, id)"
    " ON CONFLICT DO NOTHING RETURNING source, id"
)
_ASKED: Final = text("SELECT id FROM invitations WHERE id = ANY(CAST(:ids AS text[]))")
_SUPPRESSED: Final = text(
    "SELECT customer_id, channel FROM suppressions WHERE customer_id = ANY(CAST(:ids AS text[]))"
)
_OWNERS: Final = text(
    "SELECT id, customer_id FROM invitations WHERE id = ANY(CAST(:ids AS text[]))"
)
_INVITATION: Final = {
    "id": "text",
    "survey": "text",
    "kind": "text",
    "metric": "text",
    "scale_low": "smallint",
    "scale_high": "smallint",
    "trigger": "text",
    "customer_id": "text",
    "subject_id": "text",
    "touchpoint": "text",
    "source": "text",
    "event_id": "text",
    "event_type": "text",
    "event_time": "timestamptz",
    "segments": "text",
    "words": "text",
    "channels": "text",
    "language": "text",
    "send_at": "timestamptz",
    "expires_at": "timestamptz",
    "resend_on_doubt": "boolean",
    "traceparent": "text",
    "created_at": "timestamptz",
}
_BOOK: Final = insert_all(
    "invitations",
    _INVITATION,
    {
        "segments": "r.segments::jsonb",
        "words": "r.words::jsonb",
        "channels": "string_to_array(r.channels, ',')",
    },
    "ON CONFLICT (id) DO NOTHING",
)
_DECISION: Final = {
    "source": "text",
    "event_id": "text",
    "event_type": "text",
    "event_time": "timestamptz",
    "customer_id": "text",
    "subject_id": "text",
    "touchpoint": "text",
    "segments": "text",
    "trigger": "text",
    "survey": "text",
    "decision": "text",
    "reason": "text",
    "invitation_id": "text",
    "decided_at": "timestamptz",
    "programme": "text",
}
_RECORD: Final = insert_all(
    "decisions", _DECISION, {"segments": "r.segments::jsonb"}, "ON CONFLICT DO NOTHING"
)


class SqlLedger:
    """`handlers.Ledger` on one connection; the caller's transaction is the unit."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock(self, customers: Sequence[str], now: datetime) -> None:
        if customers:
            await self._connection.execute(_LOCK, {"ids": customers, "now": now})

    async def remember(self, events: Sequence[EventKey], now: datetime) -> AbstractSet[EventKey]:
        if not events:
            return frozenset()
        sources, ids = zip(*events, strict=True)
        values = {"sources": list(sources), "ids": list(ids), "now": now}
        rows = await self._connection.execute(_REMEMBER, values)
        return {(source, event_id) for source, event_id in rows}

    async def asked(self, invitations: Sequence[str]) -> AbstractSet[str]:
        if not invitations:
            return frozenset()
        rows = await self._connection.execute(_ASKED, {"ids": invitations})
        return set(rows.scalars())

    async def suppressed(self, customers: Sequence[str]) -> Mapping[str, AbstractSet[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        if customers:
            for owner, channel in await self._connection.execute(_SUPPRESSED, {"ids": customers}):
                found[owner].add(channel)
        return found

    async def book(self, bookings: Sequence[Booking], now: datetime) -> None:
        if not bookings:
            return
        contacts = [
            (c.id, c.email, c.phone, c.locale, c.timezone, seen) for c, seen in merged(bookings)
        ]
        await self._connection.execute(KEEP_CONTACTS, columns(CONTACT, contacts))
        rows = [_invitation_row(booking, now) for booking in bookings]
        await self._connection.execute(_BOOK, columns(_INVITATION, rows))

    async def record(self, decisions: Sequence[Decision]) -> None:
        if decisions:
            rows = [_decision_row(decision) for decision in decisions]
            await self._connection.execute(_RECORD, columns(_DECISION, rows))

    async def customers_of(self, invitations: Sequence[str]) -> Mapping[str, str]:
        if not invitations:
            return {}
        rows = await self._connection.execute(_OWNERS, {"ids": invitations})
        return {row.id: row.customer_id for row in rows}

    async def suppress(self, suppressions: Sequence[Suppression]) -> None:
        await store_suppressions(self._connection, suppressions)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _invitation_row(booking: Booking, now: datetime) -> tuple[Any, ...]:
    i = booking.invitation
    event = (i.event.source, i.event.id, i.event.type, i.event.time)
    about = (i.trigger, i.customer_id, i.subject_id, i.touchpoint)
    frozen = (_json(i.segments), _json(i.words), ",".join(i.channels), i.language)
    times = (i.send_at, i.expires_at, i.resend_on_doubt, booking.traceparent, now)
    return (i.id, i.survey, i.kind, i.metric, *i.scale, *about, *event, *frozen, *times)


def _decision_row(decision: Decision) -> tuple[Any, ...]:
    event = decision.event
    invitation = decision.invitation
    return (
        *(event.source, event.id, event.type, event.time, decision.customer_id),
        *(decision.subject_id, decision.touchpoint, _json(decision.segments)),
        *(decision.trigger or "", decision.survey, decision.verdict, decision.reason),
        *(invitation.id if invitation else None, decision.decided_at, decision.programme),
    )
