"""An alert, as the world sees it, and the ways in which it changes.

Each change gives a new alert with the next revision. `segment` is where it is, and all numbers are
about that segment; `also_raised` names the other streams that crossed. `began_between` holds the
onset at 95 %. `began_at`, `opened_at` and `resolved_at` are
event time, `raised_at` and `updated_at` wall clock.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import msgspec

from services.alerts.domain.answers import Line
from services.alerts.domain.estimates import Severity
from services.alerts.domain.facts import (
    Cause,
    Crossing,
    Evidence,
    Location,
    Rates,
    ReasonShare,
    Rise,
    Size,
    Slice,
    Word,
)

SCHEMA: Final = "detractor-alert/1"
NAMED_AT_MOST: Final = 100  # streams: a record must fit into Kafka, however many crossed


class State(StrEnum):
    """Where an alert stands. Acknowledged is still open: somebody looks."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    ACCEPTED = "accepted"

    @property
    def is_over(self) -> bool:
        return self in {State.RESOLVED, State.ACCEPTED}


class Change(StrEnum):
    """What a revision is about."""

    OPENED = "opened"
    UPDATED = "updated"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    ACCEPTED = "accepted"


class Over(Exception):
    """The alert has been closed already; `state` says how."""

    def __init__(self, state: State) -> None:
        super().__init__(f"the alert is {state} already")
        self.state = state


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """The reply of `GET /v1/alerts/{id}`."""

    id: str
    state: State
    revision: int
    severity: Severity
    metric: str
    survey: str | None
    segment: dict[str, str]
    began_at: datetime
    began_between: tuple[datetime, datetime] | None = None
    opened_at: datetime
    raised_at: datetime
    updated_at: datetime
    resolved_at: datetime | None = None
    n: int
    detractors: int
    detractor_rate: Rates
    rise: Rise
    hurt_per_hour: float
    evidence: Evidence
    explains: float
    slices: tuple[Slice, ...]
    also_raised: tuple[dict[str, str], ...] = ()
    crossings: tuple[Crossing, ...] = ()
    historic: bool = False
    top_reasons: tuple[ReasonShare, ...] = ()
    sample_comments: tuple[str, ...] = ()
    acknowledged: Word | None = None
    closed: Word | None = None
    silenced_by: tuple[str, ...] = ()

    @property
    def raised_segment(self) -> dict[str, str]:
        """The segment of the stream that raised it, whatever it is explained by later."""
        return self.crossings[0].segment if self.crossings else self.segment

    @property
    def line(self) -> Line:
        return Line(self.metric, self.survey or "")

    def sized(self, size: Size, severity: Severity) -> "Alert":
        """The same with newer numbers; not yet a revision. Severity never falls."""
        worst = min(self.severity, severity, key=list(Severity).index)
        return msgspec.structs.replace(
            self,
            n=size.n,
            detractors=size.detractors,
            detractor_rate=size.rates,
            rise=size.rise,
            hurt_per_hour=size.hurt_per_hour,
            severity=worst,
        )

    def explained(self, cause: Cause) -> "Alert":
        """The same with what is behind it."""
        return msgspec.structs.replace(
            self, top_reasons=cause.top_reasons, sample_comments=cause.sample_comments
        )

    def placed(self, location: Location) -> "Alert":
        """The same in another place: its segment is the first slice."""
        segment = location.slices[0].segment
        also = [c.segment for c in self.crossings if c.segment != segment]
        return msgspec.structs.replace(
            self,
            segment=segment,
            slices=location.slices,
            explains=location.explains,
            also_raised=tuple(also),
        )

    def joined_by(self, crossing: Crossing) -> "Alert":
        """The same with a further stream that crossed; the first 100 are named."""
        also = self.also_raised
        if crossing.segment not in also and crossing.segment != self.segment:
            also = (*also, crossing.segment)
        return msgspec.structs.replace(
            self,
            also_raised=also[:NAMED_AT_MOST],
            crossings=(*self.crossings, crossing)[:NAMED_AT_MOST],
        )

    def revised(self, now: datetime) -> "Alert":
        """The next revision."""
        return msgspec.structs.replace(self, revision=self.revision + 1, updated_at=now)

    def acknowledge(self, word: Word) -> "Alert":
        """Somebody looks. Raises Over."""
        self._need_open()
        seen = msgspec.structs.replace(self, state=State.ACKNOWLEDGED, acknowledged=word)
        return seen.revised(word.at)

    def end(self, state: State, at: datetime, now: datetime, word: Word | None = None) -> "Alert":
        """Close as `state` at that event time, by a person's `word` or by evidence. Raises Over."""
        self._need_open()
        ended = msgspec.structs.replace(
            self, state=state, resolved_at=max(at, self.opened_at), closed=word
        )
        return ended.revised(now)

    def silenced(self, by: tuple[str, ...]) -> "Alert":
        """The same with the silences that keep it quiet; not a revision."""
        return self if by == self.silenced_by else msgspec.structs.replace(self, silenced_by=by)

    def word_on(self, change: Change) -> Word | None:
        """What a person said with this change; None where it was ours."""
        if change is Change.ACKNOWLEDGED:
            return self.acknowledged
        return self.closed if change in {Change.RESOLVED, Change.ACCEPTED} else None

    def record(self, change: Change) -> dict[str, Any]:
        """What is published on detractor-alerts."""
        body: dict[str, Any] = msgspec.to_builtins(self)
        return {"schema": SCHEMA, **body, "change": str(change)}

    def _need_open(self) -> None:
        if self.state.is_over:
            raise Over(self.state)
