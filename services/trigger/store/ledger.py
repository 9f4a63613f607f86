"""The handlers' memory in PostgreSQL: each call one statement for the whole batch."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.trigger.domain.decisions import Decision
from services.trigger.domain.invitations import Invitation
from services.trigger.domain.memory import Memory
from services.trigger.domain.questions import Question
from services.trigger.domain.suppressions import Suppression
from services.trigger.handlers import Arrival, Booking, Cancel, Desk, EventKey, Waiting, Wanted
from services.trigger.store.counting import counting_asks
from services.trigger.store.decisions import conclude_decisions, record_decisions
from services.trigger.store.keeping import keep_cancels, keep_events
from services.trigger.store.recall import recall
from services.trigger.store.rows import as_json
from services.trigger.store.suppressions import store_suppressions
from services.trigger.store.turns import ALONE, TOGETHER
from services.trigger.store.waiting import forget_waiting, postpone, store_waiting, take_due
from shared.columns import columns, insert_all
from shared.programme.models import Programme

_LOCK: Final = text(
    "INSERT INTO customers (id, seen_at) SELECT u, :now FROM unnest(CAST(:ids AS text[])) AS u"
    " ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at"
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
    "zones": "text",
    "basis": "text",
    "experiment": "text",
    "variant": "text",
    "reminder_of": "text",
    "reminder": "smallint",
    "traceparent": "text",
    "created_at": "timestamptz",
}
_BOOK: Final = counting_asks(
    insert_all(
        "invitations",
        _INVITATION,
        {
            "segments": "r.segments::jsonb",
            "words": "r.words::jsonb",
            "channels": "string_to_array(r.channels, ',')",
            "zones": "string_to_array(r.zones, ',')",
        },
        "ON CONFLICT (id) DO NOTHING",
    )
)
_GROUP_ASK: Final = {
    "dimension": "text",
    "value": "text",
    "asked_at": "timestamptz",
    "invitation_id": "text",
}
_ASK_OF_GROUP: Final = insert_all("group_asks", _GROUP_ASK, {}, "ON CONFLICT DO NOTHING")


class SqlLedger:
    """`handlers.Ledger` on one connection; the caller's transaction is the unit."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock(self, customers: Sequence[str], now: datetime, *, alone: bool = False) -> None:
        await self._connection.execute(ALONE if alone else TOGETHER)
        if customers:
            await self._connection.execute(_LOCK, {"ids": customers, "now": now})

    async def remember(self, arrivals: Sequence[Arrival], desk: Desk) -> AbstractSet[EventKey]:
        return await keep_events(self._connection, arrivals, desk)

    async def cancel(self, cancels: Sequence[Cancel]) -> None:
        await keep_cancels(self._connection, cancels)

    async def recall(self, wanted: Wanted, desk: Desk) -> Memory:
        return await recall(self._connection, wanted, desk)

    async def book(self, bookings: Sequence[Booking], desk: Desk) -> None:
        if not bookings:
            return
        rows = [_invitation_row(booking, desk.now) for booking in bookings]
        await self._connection.execute(_BOOK, columns(_INVITATION, rows))
        invitations = [booking.invitation for booking in bookings]
        asks = sorted(_group_asks(invitations, desk.programme.group_dimensions))
        if asks:
            await self._connection.execute(_ASK_OF_GROUP, columns(_GROUP_ASK, asks))

    async def record(self, decisions: Sequence[Decision]) -> None:
        await record_decisions(self._connection, decisions)

    async def conclude(self, decisions: Sequence[Decision]) -> None:
        await conclude_decisions(self._connection, decisions)

    async def wait(self, questions: Sequence[Question], programme: Programme) -> None:
        await store_waiting(self._connection, questions, programme)

    async def take_due(self, most: int, now: datetime) -> Sequence[Waiting]:
        return await take_due(self._connection, most, now)

    async def postpone(self, waiting: Sequence[Waiting]) -> None:
        await postpone(self._connection, waiting)

    async def forget(self, waiting: Sequence[Waiting]) -> None:
        await forget_waiting(self._connection, waiting)

    async def customers_of(self, invitations: Sequence[str]) -> Mapping[str, str]:
        if not invitations:
            return {}
        rows = await self._connection.execute(_OWNERS, {"ids": invitations})
        return {row.id: row.customer_id for row in rows}

    async def suppress(self, suppressions: Sequence[Suppression]) -> None:
        await store_suppressions(self._connection, suppressions)


def _invitation_row(booking: Booking, now: datetime) -> tuple[Any, ...]:
    i = booking.invitation
    event = (i.event.source, i.event.id, i.event.type, i.event.time)
    about = (i.trigger, i.customer_id, i.subject_id, i.touchpoint)
    frozen = (as_json(i.segments), as_json(i.words), ",".join(i.channels), i.language)
    times = (i.send_at, i.expires_at, i.resend_on_doubt)
    arm = (",".join(i.zones), i.basis, i.experiment, i.variant)
    again = (i.reminder_of, i.reminder)
    asked = (i.id, i.survey, i.kind, i.metric, *i.scale)
    return (*asked, *about, *event, *frozen, *times, *arm, *again, booking.traceparent, now)


def _group_asks(
    invitations: Sequence[Invitation], dimensions: AbstractSet[str]
) -> Iterator[tuple[str, str, datetime, str]]:
    for invitation in invitations:
        for name in dimensions & set(invitation.segments):
            yield name, invitation.segments[name], invitation.send_at, invitation.id
