"""Decisions in the ledger: recorded once, and concluded when what waited is decided."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.trigger.domain.decisions import Decision
from services.trigger.store.rows import as_json
from shared.columns import columns, insert_all, unnested

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
    "decided": "text",
    "facts": "text",
}
_TURNED: Final = {**_DECISION, "turn": "bigint"}
# Every decision has its turn: a later one knew what the earlier had come to.
_RECORD: Final = insert_all(
    "decisions",
    _TURNED,
    {"segments": "r.segments::jsonb", "facts": "r.facts::jsonb"},
    "ON CONFLICT DO NOTHING",
)
_CONCLUDE: Final = text(f"""
    UPDATE decisions d SET
        customer_id = r.customer_id, touchpoint = r.touchpoint, segments = r.segments::jsonb,
        survey = r.survey, decision = r.decision, reason = r.reason,
        invitation_id = r.invitation_id, decided_at = r.decided_at, programme = r.programme,
        decided = r.decided, facts = r.facts::jsonb, turn = r.turn
    FROM {unnested(_TURNED)}
    WHERE d.event_id = r.event_id AND d.source = r.source AND d.trigger = r.trigger
""")  # noqa: S608
_TURNS: Final = text("SELECT nextval('turns') FROM generate_series(1, :number)")


async def record_decisions(connection: AsyncConnection, decisions: Sequence[Decision]) -> None:
    """Store decisions; one on the same event by the same trigger stays as it is."""
    await _store(connection, _RECORD, decisions)


async def conclude_decisions(connection: AsyncConnection, decisions: Sequence[Decision]) -> None:
    """Store decisions in the place of those that said to wait."""
    await _store(connection, _CONCLUDE, decisions)


async def _store(
    connection: AsyncConnection, statement: TextClause, decisions: Sequence[Decision]
) -> None:
    if not decisions:
        return
    turns = (await connection.execute(_TURNS, {"number": len(decisions)})).scalars()
    rows = [(*_decision_row(d), turn) for d, turn in zip(decisions, turns, strict=True)]
    await connection.execute(statement, columns(_TURNED, rows))


def _decision_row(decision: Decision) -> tuple[Any, ...]:
    event = decision.event
    return (
        *(event.source, event.id, event.type, event.time, decision.customer_id),
        *(decision.subject_id, decision.touchpoint, as_json(decision.segments)),
        *(decision.trigger or "", decision.survey, decision.verdict, decision.reason),
        *(decision.invitation_id, decision.decided_at, decision.programme),
        *(decision.reason, as_json(decision.facts)),
    )
