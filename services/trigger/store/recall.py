"""What is known before decisions are made: one statement for each kind of fact."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.trigger.domain.facts import Cancelling, PastAsk, Said
from services.trigger.domain.memory import Group, Memory
from services.trigger.handlers import Desk, Wanted
from services.trigger.store.margins import read_margins
from services.trigger.store.rows import as_mapping
from shared.columns import columns, unnested
from shared.programme.models import Programme

_ASKED: Final = text("SELECT id FROM invitations WHERE id = ANY(CAST(:ids AS text[]))")
_SUPPRESSED: Final = text(
    "SELECT customer_id, channel FROM suppressions WHERE customer_id = ANY(CAST(:ids AS text[]))"
)
_CONSENTS: Final = text(
    "SELECT customer_id, channel, said, at FROM consents"
    " WHERE customer_id = ANY(CAST(:ids AS text[]))"
)
_CANCELLING: Final = text(
    "SELECT subject_id, customer_id, event_type, event_time FROM cancelling"
    " WHERE subject_id = ANY(CAST(:ids AS text[]))"
)
# What counts as asked, and when: it has left, or nobody knows, or it leaves now at the earliest.
_AT: Final = (
    "CASE WHEN i.status IN ('scheduled', 'sending')"
    " THEN greatest(i.send_at, CAST(:now AS timestamptz))"
    " ELSE coalesce(i.invited_at, i.send_at) END"
)
_COUNTS: Final = f"i.status IN ('scheduled', 'sending', 'sent', 'unknown') AND {_AT} > :since"
_PAST: Final = (
    f"i.id, i.survey, i.trigger, i.channels[1] AS channel, {_AT} AS at,"
    " CASE WHEN i.status IN ('scheduled', 'sending') THEN i.channels[2:] ELSE '{}' END AS more"
)
_ASKS: Final = text(
    f"SELECT i.customer_id, CASE WHEN :told THEN i.segments::text END, {_PAST}"  # noqa: S608
    " FROM invitations i"
    f" WHERE i.customer_id = ANY(CAST(:ids AS text[])) AND {_COUNTS}"
)
_GROUP: Final = {"dimension": "text", "value": "text"}
_LOCK_GROUPS: Final = text(
    f"INSERT INTO groups (dimension, value, seen_at)"  # noqa: S608
    f" SELECT r.dimension, r.value, :now FROM {unnested(_GROUP)}"
    " ON CONFLICT (dimension, value) DO UPDATE SET seen_at = excluded.seen_at"
)
_GROUP_ASKS: Final = text(f"""
    SELECT r.dimension, r.value, past.*
    FROM {unnested(_GROUP)}
    CROSS JOIN LATERAL (
        SELECT {_PAST} FROM group_asks g JOIN invitations i ON i.id = g.invitation_id
        WHERE g.dimension = r.dimension AND g.value = r.value AND g.asked_at > :slack AND {_COUNTS}
        ORDER BY g.asked_at DESC LIMIT CAST(:most AS bigint)
    ) past
""")  # noqa: S608


async def recall(
    connection: AsyncConnection, wanted: Wanted, desk: Desk, *, hold: bool = True
) -> Memory:
    """What is known of those who are wanted; groups are held until the transaction ends."""
    memory = Memory(channels=desk.channels)
    await _suppressions(connection, wanted.customers, memory)
    if not wanted.invitations:
        return memory
    memory.asked |= set(await _asked(connection, wanted.invitations))
    await _consents(connection, wanted.askable, memory)
    if desk.programme.cancelled_by:
        await _cancellings(connection, wanted.subjects, memory)
    if desk.programme.caps:
        await _asks(connection, wanted.askable, memory, desk)
    if wanted.groups and hold:
        await connection.execute(_LOCK_GROUPS, {**columns(_GROUP, wanted.groups), "now": desk.now})
    if wanted.groups:
        await _groups(connection, wanted.groups, memory, desk)
    if wanted.segments:
        segments = sorted(wanted.segments)
        memory.margins |= await read_margins(connection, segments, desk.programme, desk.now)
    return memory


def _since(desk: Desk, *, of_group: bool) -> datetime:
    return desk.now - longest(desk.programme, of_group=of_group)


def longest(programme: Programme, *, of_group: bool) -> timedelta:
    """How far back caps look."""
    periods = (cap.per for cap in programme.caps if cap.of_group == of_group)
    return max(periods, default=timedelta(0))


async def _asked(connection: AsyncConnection, ids: Sequence[str]) -> Sequence[str]:
    return (await connection.execute(_ASKED, {"ids": ids})).scalars().all()


async def _suppressions(
    connection: AsyncConnection, customers: Sequence[str], memory: Memory
) -> None:
    if customers:
        found = await connection.execute(_SUPPRESSED, {"ids": customers})
        for owner, channel in found.all():
            memory.suppressed[owner].add(channel)


async def _consents(connection: AsyncConnection, customers: Sequence[str], memory: Memory) -> None:
    found = await connection.execute(_CONSENTS, {"ids": customers})
    for owner, channel, said, at in found.all():
        memory.consents[owner][channel] = Said(said, at)


async def _cancellings(
    connection: AsyncConnection, subjects: Sequence[str], memory: Memory
) -> None:
    rows = await connection.execute(_CANCELLING, {"ids": subjects})
    for subject_id, customer_id, event_type, at in rows.all():
        memory.cancelling[subject_id, customer_id].append(Cancelling(event_type, at))


async def _asks(
    connection: AsyncConnection, customers: Sequence[str], memory: Memory, desk: Desk
) -> None:
    programme, since = desk.programme, _since(desk, of_group=False)
    told = any(cap.dimensions for cap in programme.caps if not cap.of_group)
    values = {"ids": customers, "since": since, "now": desk.now, "told": told}
    found = await connection.execute(_ASKS, values)
    for row in found.all():
        segments = as_mapping(row[1]) if row[1] is not None else {}
        memory.asks[row[0]].append(_past(row, segments))


async def _groups(
    connection: AsyncConnection, groups: Sequence[Group], memory: Memory, desk: Desk
) -> None:
    since = _since(desk, of_group=True)
    # what could not leave in time still counts: it may have left as late as it expires
    latest = max(survey.expires for survey in desk.programme.surveys.values())
    bounds = {"since": since, "slack": since - latest, "now": desk.now, "most": _most(desk)}
    own = {group: {group[0]: group[1]} for group in groups}
    values = {**columns(_GROUP, groups), **bounds}
    found = await connection.execute(_GROUP_ASKS, values)
    for row in found.all():
        group = (row[0], row[1])
        memory.groups[group].append(_past(row, own[group]))


def _past(row: Sequence[Any], segments: Mapping[str, str]) -> PastAsk:
    _, _, invitation_id, survey, trigger, channel, at, more = row
    return PastAsk(invitation_id, survey, trigger, channel, segments, at, tuple(more))


def _most(desk: Desk) -> int | None:
    """How many askings of a group tell whether its cap is full; None where that needs all."""
    caps = [cap for cap in desk.programme.caps if cap.of_group]
    plain = all(cap.each == cap.dimensions and not (cap.surveys or cap.channels) for cap in caps)
    alone = len(caps) == len(desk.programme.group_dimensions)
    return max(cap.most for cap in caps) if plain and alone else None
