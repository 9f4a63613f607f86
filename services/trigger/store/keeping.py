"""What is kept of events: that they came, what they said, whom they name, what they cancel."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.trigger.domain.keepable import keepable
from services.trigger.domain.occasions import Occasion
from services.trigger.domain.schedules import asking_after_first
from services.trigger.handlers import Arrival, Cancel, Desk, EventKey
from services.trigger.store.contacts import (
    CONSENT,
    CONTACT,
    KEEP_CONSENTS,
    KEEP_CONTACTS,
    consent_rows,
    contact_rows,
)
from services.trigger.store.schedules import keep_firsts
from shared.columns import columns, insert_all, unnested
from shared.programme.triggers import SCHEDULE

_REMEMBER: Final = text(
    "INSERT INTO events (source, id, received_at)"
    " SELECT u.source, u.id, :now"
    " FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[])) AS u(source, id)"
    " ON CONFLICT DO NOTHING RETURNING source, id"
)
_OCCASION: Final = {
    "source": "text",
    "event_id": "text",
    "type": "text",
    "time": "timestamptz",
    "subject": "text",
    "customer_id": "text",
    "reach": "text",
    "data": "text",
    "heard_at": "timestamptz",
}
_KEEP: Final = insert_all(
    "occasions",
    _OCCASION,
    {"data": "r.data::jsonb", "reach": "string_to_array(r.reach, ',')"},
    "ON CONFLICT (source, event_id) DO NOTHING",
)
_CANCELLING: Final = {
    "subject_id": "text",
    "customer_id": "text",
    "event_type": "text",
    "event_time": "timestamptz",
}
_NOTE: Final = insert_all("cancelling", _CANCELLING, {}, "ON CONFLICT DO NOTHING")
_CANCEL: Final = {"trigger": "text", **_CANCELLING}
_TAKE_BACK: Final = text(f"""
    WITH hit AS (
        SELECT i.id FROM invitations i
        JOIN {unnested(_CANCEL)} ON i.subject_id = r.subject_id AND i.trigger = r.trigger
        WHERE i.status = 'scheduled' AND r.customer_id IN ('', i.customer_id)
          AND i.event_time <= r.event_time
        ORDER BY i.id FOR UPDATE OF i
    ), gone AS (
        UPDATE invitations i SET status = 'cancelled', revision = i.revision + 1, published = false
        WHERE i.id IN (SELECT id FROM hit)
        RETURNING i.id
    )
    UPDATE decisions d SET decision = 'suppressed', reason = 'cancelled-by-event'
    FROM gone WHERE d.invitation_id = gone.id
""")  # noqa: S608


async def keep_events(
    connection: AsyncConnection, arrivals: Sequence[Arrival], desk: Desk
) -> AbstractSet[EventKey]:
    """Keep the events that are new, what they say and whom they name; the keys of those."""
    if not arrivals:
        return frozenset()
    sources, ids = zip(*(arrival.key for arrival in arrivals), strict=True)
    values = {"sources": list(sources), "ids": list(ids), "now": desk.now}
    fresh = {(source, key) for source, key in await connection.execute(_REMEMBER, values)}
    occasions = [arrival.occasion for arrival in arrivals if arrival.key in fresh]
    if occasions:
        rows = [_row(occasion, desk) for occasion in occasions]
        await connection.execute(_KEEP, columns(_OCCASION, rows))
        # what a schedule makes says nothing new, and keeps no contact that would else be forgotten
        emitted = [o for o in occasions if not o.event.type.startswith(f"{SCHEDULE}.")]
        await _keep_people(connection, emitted, desk.now)
        asking = asking_after_first(desk.programme)
        wanted = {after.on for after in asking.values()}
        told = [(o.customer_id, o.event.type, o.event.time) for o in emitted]
        firsts = [(c, t, at) for c, t, at in told if c and t in wanted]
        await keep_firsts(connection, firsts, asking)
    return fresh


async def _keep_people(
    connection: AsyncConnection, occasions: Sequence[Occasion], now: datetime
) -> None:
    contacts, consents = contact_rows(occasions), consent_rows(occasions, now)
    if contacts:
        await connection.execute(KEEP_CONTACTS, columns(CONTACT, contacts))
    if consents:
        await connection.execute(KEEP_CONSENTS, columns(CONSENT, consents))


async def keep_cancels(connection: AsyncConnection, cancels: Sequence[Cancel]) -> None:
    """Keep them for what is decided later, and cancel what is scheduled already."""
    about = sorted({(c.subject_id, c.customer_id, c.event_type, c.at) for c in cancels})
    await connection.execute(_NOTE, columns(_CANCELLING, about))
    rows = sorted({(c.trigger, c.subject_id, c.customer_id, c.event_type, c.at) for c in cancels})
    await connection.execute(_TAKE_BACK, columns(_CANCEL, rows))


def _row(occasion: Occasion, desk: Desk) -> tuple[Any, ...]:
    event, customer = occasion.event, occasion.customer
    reach = [name for name in ("email", "sms") if customer and customer.reached_by(name)]
    return (
        *(event.source, event.id, event.type, event.time, event.subject),
        *(occasion.customer_id, ",".join(reach)),
        msgspec.json.encode(keepable(event.data, desk.programme.segments.paths)).decode(),
        desk.now,
    )
