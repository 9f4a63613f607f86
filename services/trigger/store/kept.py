"""Rows of the ledger as what was decided then, and what became of it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from services.trigger.domain.backtest import Batch, Entry, Fate, Given, Record, stand_in
from services.trigger.domain.facts import PastAsk
from services.trigger.domain.kept import read_kept
from services.trigger.domain.reasons import Reason
from services.trigger.store.rows import Row, as_mapping
from shared.events import Event

_COUNTED: Final = frozenset({"scheduled", "sending", "sent", "unknown"})
_CANCELLED: Final = Reason.CANCELLED_BY_EVENT


def batches_of(waiting: Mapping[datetime, Sequence[Entry]]) -> list[Batch]:
    """What came at the same moment as one, in the order of the ledger."""
    found = [Batch(entries, _place(entries), clock) for clock, entries in waiting.items()]
    return sorted(found, key=lambda batch: batch.place)


def _place(entries: Iterable[Entry]) -> int:
    """Where the first of its decisions stands, else where it was written."""
    turns = [r.turn for e in entries for t in e.records if (r := e.record_of_then(t)) is not None]
    return min(turns, default=min(entry.seq for entry in entries))


def read_event(row: Row) -> Event:
    """The event of a row of `occasions`, with made-up addresses."""
    data = msgspec.json.decode(row["data"], type=dict[str, Any])
    return Event(
        id=row["event_id"],
        source=row["source"],
        type=row["type"],
        time=row["time"],
        subject=row["subject"],
        data=stand_in(data, row["customer_id"], row["reach"]),
    )


def read_record(row: Row) -> Record:
    """A decision, with what became of what it asked."""
    asked, reason = row["id"] is not None, row["reason"]
    taken_back = asked and reason == _CANCELLED
    return Record(
        trigger=row["decided_for"],
        reason=Reason(row["decided"]),
        turn=row["turn"] or 0,
        decided_at=row["decided_at"],
        programme=row["programme"],
        kept=read_kept(row["facts"]),
        ask=_ask(row) if asked else None,
        fate=_fate(row) if asked and not taken_back else None,
        taken_back=taken_back,
    )


def read_given(row: Row) -> Given:
    """An invitation that is not decided again."""
    return Given(
        customer_id=row["customer_id"],
        ask=_ask(row),
        subject_id=row["subject_id"],
        event_time=row["event_time"],
        made_at=row["created_at"],
        fate=None if row["taken_back"] else _fate(row),
        taken_back=row["taken_back"],
        parent=row["reminder_of"],
    )


def _ask(row: Row) -> PastAsk:
    return PastAsk(
        invitation_id=row["id"],
        survey=row["survey"],
        trigger=row["trigger"],
        channel=row["first_channel"] or row["channel"],
        segments=as_mapping(row["segments"]),
        at=row["send_at"],
    )


def _fate(row: Row) -> Fate | None:
    """When it is known what became of it; a cancelling event is the run's own to find."""
    tried, at = row["claimed_at"], row["invited_at"] or row["send_at"]
    if row["status"] in _COUNTED:
        known = row["invited_at"] or tried
        return None if known is None else Fate(known, at, row["channel"])
    return Fate(row["closed_at"] or tried or at, None, row["channel"])
