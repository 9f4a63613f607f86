"""What may not be kept for ever is deleted, in batches, each statement by an index."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine

_BATCH: Final = 5000
_PAGE: Final = 20_000
# A plan made for any time at all reads the whole table where nothing is old.
_PLAN: Final = text("SET LOCAL plan_cache_mode = force_custom_plan")
_ENDED: Final = "status NOT IN ('scheduled', 'sending') AND published AND remind_at IS NULL"
_OPEN: Final = (
    "SELECT FROM invitations i WHERE i.customer_id = contacts.customer_id"
    " AND (i.status IN ('scheduled', 'sending') OR i.remind_at IS NOT NULL)"
)
_UNDECIDED: Final = (
    "SELECT FROM waiting w WHERE w.event_id = decisions.event_id"
    " AND w.source = decisions.source AND w.trigger = decisions.trigger"
)
_CONSENTING: Final = "consents.customer_id"
_DAY_BEFORE: Final = "day < CAST(CAST(:before AS timestamptz) AS date)"
_BY_DEDUPE: Final = frozenset({"events", "customers", "groups"})


def _waiting(customer: str) -> str:
    return f"EXISTS (SELECT FROM waiting w WHERE w.customer_id = {customer})"


def _known(customer: str) -> str:
    return f"EXISTS (SELECT FROM contacts c WHERE c.customer_id = {customer})"


# What is old, by table; its age has an index.
_BY_AGE: Final = {
    "events": "received_at < :before",
    "occasions": "heard_at < :before",
    "decisions": f"decided_at < :before AND NOT EXISTS ({_UNDECIDED})",
    "invitations": f"created_at < :before AND {_ENDED}",
    "cancelling": "event_time < :before",
    "group_asks": "asked_at < :before",
    "answers": "answered_at < :before",
    "answer_counts": _DAY_BEFORE,
    "ask_counts": _DAY_BEFORE,
}
# The age changes with every event, and an index on it would cost more than it saves: these are
# read page by page in the order of their key. A customer's row is the lock of what waits, and a no
# is kept for ever.
_BY_KEY: Final = {
    "groups": ("dimension", "seen_at < :before"),
    "customers": ("id", f"seen_at < :before AND NOT {_waiting('customers.id')}"),
    "contacts": (
        "customer_id",
        f"seen_at < :before AND NOT {_waiting('contacts.customer_id')} AND NOT EXISTS ({_OPEN})",
    ),
    "firsts": ("customer_id", f"at < :before AND NOT {_known('firsts.customer_id')}"),
    "consents": (
        "customer_id",
        f"said AND at < :before AND NOT {_known(_CONSENTING)} AND NOT {_waiting(_CONSENTING)}",
    ),
}


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long things are kept: what tells repeats apart, and everything else for the record."""

    dedupe: timedelta
    retention: timedelta

    def before(self, table: str, now: datetime) -> datetime:
        """What is older than this may go."""
        return now - (self.dedupe if table in _BY_DEDUPE else self.retention)


async def delete_old(engine: AsyncEngine, keeping: Keeping, now: datetime) -> dict[str, int]:
    """Delete what is too old, in transactions of some thousand rows; how many of each table."""
    deleted = {t: await _sweep(engine, t, keeping.before(t, now)) for t in _BY_AGE}
    return deleted | {t: await _walk(engine, t, keeping.before(t, now)) for t in _BY_KEY}


def deleting(table: str) -> TextClause:
    """The statement that deletes a batch: what others hold is left for the next time."""
    if table in _BY_AGE:
        old, limit = _BY_AGE[table], f"LIMIT {_BATCH}"
    else:
        key, old = _BY_KEY[table]
        old, limit = f"{key} > :after AND {key} <= :upto AND {old}", ""
    return text(
        f"DELETE FROM {table} WHERE ctid = ANY(ARRAY("  # noqa: S608
        f"SELECT ctid FROM {table} WHERE {old} {limit} FOR UPDATE SKIP LOCKED))"
    )


def paging(table: str) -> TextClause:
    """The statement that finds the last key of the page after a key."""
    key, _ = _BY_KEY[table]
    return text(
        f"SELECT max(k) FROM (SELECT {key} AS k FROM {table} WHERE {key} > :after"  # noqa: S608
        f" ORDER BY {key} LIMIT {_PAGE}) t"
    )


async def _sweep(engine: AsyncEngine, table: str, before: datetime) -> int:
    deleted, statement = 0, deleting(table)
    while True:
        async with engine.begin() as connection:
            await connection.execute(_PLAN)
            number = (await connection.execute(statement, {"before": before})).rowcount
        deleted += number
        if number < _BATCH:
            return deleted


async def _walk(engine: AsyncEngine, table: str, before: datetime) -> int:
    deleted, after, statement, page = 0, "", deleting(table), paging(table)
    while True:
        async with engine.begin() as connection:
            await connection.execute(_PLAN)
            upto = await connection.scalar(page, {"after": after})
            if upto is None:
                return deleted
            bounds = {"before": before, "after": after, "upto": upto}
            deleted += (await connection.execute(statement, bounds)).rowcount
        after = upto
