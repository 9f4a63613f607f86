"""Kafka comes in: scored answers, read strictly, counted as evidence."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain.answers import Answer, Line, Place, minute_of
from services.alerts.handlers.answers import on_answers
from services.alerts.store.ledger import SqlLedger
from shared.errors import Reason, Refused
from shared.events import ScoredResponse, Topic
from shared.failpoints import Point, hit
from shared.flows import group_of
from shared.programme.asking import CUSTOMER
from shared.programme.metrics import Klass
from shared.segments import Lattice, clean_value
from shared.stream.pipeline import Decode, Handle
from shared.stream.records import Decoded, Record
from shared.stream.traced import trace_in
from shared.traces import is_followed
from shared.wire import decode_record, decoder

GROUP: Final = group_of("alerts")
_SCORED: Final = decoder(ScoredResponse)
_LONGEST_NAME: Final = 200
_LONGEST_COMMENT: Final = 500
_MOST_REASONS: Final = 20
_KLASSES: Final = frozenset(Klass)  # making it for each answer took a tenth of counting
_FIRST, _LAST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def build_decoders(lattice: Lattice, cluster_by: str | None = None) -> dict[str, Decode]:
    """The decoder of `scored-responses`; `cluster_by`: a dimension, or `customer`."""

    def read(record: Record) -> tuple[Answer, datetime]:
        scored = decode_record(_SCORED, record.value)
        _check(scored)
        answered_at = _not_ahead(scored, record)
        place = Place(
            scored.metric,
            scored.survey or "",
            minute_of(answered_at),
            lattice.leaf(scored.segments),
            _cluster(scored, cluster_by),
        )
        answer = Answer(
            scored.id,
            scored.version,
            place,
            scored.klass == Klass.DETRACTOR,
            scored.reasons[:_MOST_REASONS],
            scored.comment[:_LONGEST_COMMENT] if scored.comment else None,
            _followed(record),
        )
        return answer, answered_at

    return {Topic.SCORED_RESPONSES: read}


def _followed(record: Record) -> str | None:
    trace = trace_in(record.headers) if record.headers else None
    return trace if is_followed(trace) else None


def _not_ahead(scored: ScoredResponse, record: Record) -> datetime:
    """Nobody answers after the answer was scored, or stored: a wrong clock carries no time away.

    Our topics have the broker's time, one clock for all.
    """
    times = [scored.answered_at, scored.scored_at]
    if record.timestamp_ms > 0:
        times.append(datetime.fromtimestamp(record.timestamp_ms / 1000, UTC))
    return min(times)


def _cluster(scored: ScoredResponse, cluster_by: str | None) -> str:
    """What an answer came together with others of; empty where it came alone."""
    if cluster_by is None:
        return ""
    value = scored.customer_id if cluster_by == CUSTOMER else scored.segments.get(cluster_by)
    return clean_value(value or "") or ""


def build_handler(log: str) -> Handle:
    """Return what the loop calls with each batch; `log` is the id of Kafka's log."""

    async def handle(items: Sequence[Decoded], connection: AsyncConnection) -> None:
        newest: dict[tuple[int, Line], datetime] = {}
        for item in items:
            answer, answered_at = item.value
            key = item.record.partition, answer.place.line
            newest[key] = max(newest.get(key, answered_at), answered_at)
        await on_answers([item.value[0] for item in items], newest, SqlLedger(connection, log))
        hit(Point.ROWS_WRITTEN)

    return handle


def _check(scored: ScoredResponse) -> None:
    if scored.klass not in _KLASSES:
        raise Refused(Reason.OUT_OF_RANGE, f"class is not one of {', '.join(Klass)}", "class")
    for field in ("id", "version", "metric", "survey"):
        value = getattr(scored, field)
        if value is not None and len(value) > _LONGEST_NAME:
            raise Refused(Reason.TOO_LARGE, f"{field} is over {_LONGEST_NAME} characters", field)
    if not scored.id:
        raise Refused(Reason.OUT_OF_RANGE, "id is empty", "id")
    for field in ("answered_at", "scored_at"):
        moment = getattr(scored, field)
        if moment.tzinfo is None:
            raise Refused(Reason.WRONG_TYPE, f"{field} has no offset from UTC", field)
        if not _FIRST <= moment < _LAST:
            raise Refused(Reason.OUT_OF_RANGE, f"{field} is not from 1970 to 2199", field)
