"""Scored answers and askings in trigger's tables, and what a recount makes of them."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.domain.precision import Pair
from services.trigger.handlers import on_answers
from services.trigger.store.answers import SUMS, SqlAnswers
from services.trigger.store.counting import counting_asks
from shared.db import open_engine
from shared.events import ScoredResponse
from tests.support.trigger import NOW

TABLES: Final = (
    *("answers", "answer_counts", "ask_counts", "counted"),
    *("invitations", "decisions", "events", "customers"),
)
PAIRS: Final = [("nps", ""), ("nps", "region"), ("post-call", ""), ("post-call", "region")]
CLASSES: Final = ("promoter", "passive", "detractor")
DAY: Final = timedelta(days=1)
_BOOK = counting_asks(
    sa.text("""
        INSERT INTO invitations (id, survey, segments, created_at, kind, metric, scale_low,
            scale_high, trigger, customer_id, subject_id, source, event_id, event_type, event_time,
            words, channels, language, send_at, expires_at, resend_on_doubt)
        SELECT id, 'post-call', CAST(:segments AS jsonb), CAST(:at AS timestamptz), '', '', 1, 5,
            't', 'c', id, '', '', '', now(), '{}', '{email}', 'en', now(), now(), false
        FROM unnest(CAST(:ids AS text[])) AS id ON CONFLICT (id) DO NOTHING
    """)
)


Counted = dict[tuple[Any, ...], tuple[int, ...]]


@asynccontextmanager
async def uncounted(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine on trigger's schema in which nothing was said or asked, and nothing is counted."""
    async with open_engine(database_url, schema="trigger") as engine:
        async with engine.begin() as connection:
            await connection.execute(sa.text(f"TRUNCATE {', '.join(TABLES)}"))
        yield engine


def answer(number: int, version: int = 0, **changed: Any) -> ScoredResponse:
    usual: dict[str, Any] = {
        "id": f"r-{number}",
        "version": f"{version:03}",
        "survey": "post-call",
        "metric": "csat",
        "scale": (1, 5),
        "score": 5,
        "klass": "promoter",
        "segments": {"region": "EU"},
        "answered_at": NOW,
        "received_at": NOW,
        "scored_at": NOW,
    }
    return ScoredResponse(**(usual | changed))


async def hear(engine: AsyncEngine, *answers: ScoredResponse) -> None:
    async with engine.begin() as connection:
        await on_answers(answers, SqlAnswers(connection))


async def ask(engine: AsyncEngine, ids: Sequence[str], region: str, at: datetime = NOW) -> None:
    async with engine.begin() as connection:
        segments = f'{{"region": "{region}"}}'
        await connection.execute(_BOOK, {"ids": ids, "segments": segments, "at": at})


async def counts(engine: AsyncEngine) -> Counted:
    """What is counted; what has come to nothing is as if it had never been."""
    query = f"SELECT survey, dimension, value, day, {', '.join(SUMS)} FROM answer_counts"
    async with engine.connect() as connection:
        rows = (await connection.execute(sa.text(query))).all()
    return {tuple(row[:4]): tuple(row[4:]) for row in rows if any(row[4:])}


async def recount(engine: AsyncEngine, pairs: Sequence[Pair]) -> Counted:
    """The same from the answers that are stored, in plain Python."""
    async with engine.connect() as connection:
        answers = (await connection.execute(sa.text("SELECT * FROM answers"))).mappings().all()
        asked = (await connection.execute(sa.text("SELECT * FROM invitations"))).mappings().all()
    invitations = {row["id"]: row for row in asked}
    found: dict[tuple[Any, ...], Counter[str]] = {}

    def add(row: Any, day: Any, part: dict[str, int]) -> None:
        for survey, dimension in pairs:
            value = row["segments"].get(dimension) if dimension else ""
            if survey == row["survey"] and (value or not dimension):
                found.setdefault((survey, dimension, value, day), Counter()).update(part)

    for row in answers:
        score = row["score"]
        part = {f"{row['klass']}s": 1, "total": score, "squares": score * score}
        add(row, row["answered_at"].date(), part)
        if (invitation := invitations.get(row["invitation_id"])) is not None:
            late = max(row["answered_at"] - invitation["created_at"], timedelta(0))
            part = {"answered": 1, "late": int(late.total_seconds())}
            add(invitation, invitation["created_at"].date(), part)
    return {key: tuple(sums[name] for name in SUMS) for key, sums in found.items()}
