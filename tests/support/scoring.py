"""Records as scoring meets them, and a ledger in memory."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from services.scoring.domain import funnel
from services.scoring.domain.answers import Change, Truth, merge, version_of
from services.scoring.domain.cells import WIDTH, Cell, Layout, before_and_after, cells_of
from services.scoring.domain.decisions import Decision, Key, Turn
from shared.events import Answers, EventRef, SurveyDecision, SurveyInvitation, SurveyResponse
from shared.stream.records import Record
from shared.wire import encode

START = datetime(2026, 11, 21, 10, tzinfo=UTC)
LAYOUT = Layout(
    {"region": None, "product": None, "channel": None, "touchpoint": "touchpoint"},
    (("region", "product"),),
)


def response(key: str, score: int = 9, **changes: Any) -> SurveyResponse:
    metric = changes.pop("metric", "nps")
    scale = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7)}[metric]
    answers = Answers(
        score=score, reasons=changes.pop("reasons", ()), comment=changes.pop("comment", None)
    )
    fields = {
        "id": key,
        "submission_id": key,
        "survey": "post-delivery",
        "metric": metric,
        "scale": scale,
        "answers": answers,
        "answered_at": START,
        "received_at": START + timedelta(seconds=1),
    }
    return SurveyResponse(**(fields | changes))


def invitation(key: str, revision: int = 2, **changes: Any) -> SurveyInvitation:
    fields: dict[str, Any] = {
        "id": key,
        "revision": revision,
        "status": "sent",
        "survey": "post-delivery",
        "kind": "transactional",
        "metric": "nps",
        "scale": (0, 10),
        "trigger": "after-delivery",
        "customer_id": "c-1",
        "subject_id": "o-1",
        "touchpoint": "delivery",
        "event": EventRef(source="/shop", id="e-1", type="transaction.delivered", time=START),
        "segments": {"region": "EU", "product": "shoes"},
        "channel": "email",
        "language": "de",
        "invited_at": START,
        "expires_at": START + timedelta(days=7),
    }
    return SurveyInvitation(**(fields | changes))


def decision(key: str, reason: str = "asked", **changes: Any) -> SurveyDecision:
    """A decision on event `key`; one that asks names an invitation."""
    verdict = {"asked": "invited", "quiet-hours": "scheduled", "delayed": "scheduled"}
    at = changes.get("event_time", START)
    fields: dict[str, Any] = {
        "source": "/shop",
        "event_id": key,
        "event_type": "transaction.delivered",
        "event_time": at,
        "event": EventRef(source="/shop", id=key, type="transaction.delivered", time=at),
        "customer_id": "c-1",
        "subject_id": "o-1",
        "trigger": "after-delivery",
        "survey": "post-delivery",
        "decision": verdict.get(reason, "suppressed"),
        "reason": reason,
        "sentence": "",
        "invitation_id": f"i-{key}" if reason in verdict else None,
        "decided_at": at + timedelta(seconds=1),
        "programme": "sha256:0",
        "segments": {"region": "EU", "product": "shoes"},
    }
    if reason == "no-trigger":
        fields |= {"trigger": None, "survey": None}
    return SurveyDecision(**(fields | changes))


_TOPICS: dict[Any, str] = {
    SurveyResponse: "survey-responses",
    SurveyInvitation: "survey-invitations",
    SurveyDecision: "survey-decisions",
}


def record(value: Any, offset: int = 0, partition: int = 0) -> Record:
    key = value.event_id if isinstance(value, SurveyDecision) else value.id
    return Record(_TOPICS[type(value)], partition, offset, key.encode(), encode(value), (), 0)


class MemoryLedger:
    """What a ledger promises, without a database."""

    def __init__(self, layout: Layout = LAYOUT) -> None:
        self.truths: dict[str, Truth] = {}
        self.cells: dict[Cell, list[int]] = {}
        self.decisions: dict[Key, Decision] = {}
        self.steps: Counter[funnel.Cell] = Counter()
        self._layout = layout

    async def record(self, truths: Sequence[Truth]) -> Sequence[Change]:
        changes = []
        for truth in truths:
            before = self.truths.get(truth.id)
            after = truth if before is None else merge(before, truth)
            if before != after:
                self.truths[truth.id] = after
                changes.append(Change(before, after))
        return changes

    def foresee(self, truths: Sequence[Truth]) -> None:
        """It counts as fast afterwards."""

    async def decide(self, decisions: Sequence[Decision]) -> Sequence[Turn]:
        turns = []
        for decision in decisions:
            before = self.decisions.get(decision.key)
            if before is None or decision.order > before.order:
                self.decisions[decision.key] = decision
                turns.append(Turn(before, decision))
        return turns

    async def count(self, changes: Sequence[Change], turns: Sequence[Turn] = ()) -> None:
        layout = self._layout
        before, after = before_and_after(changes, layout.dimensions)
        for cell, sums in cells_of(before, after, layout).items():
            known = self.cells.get(cell, [0] * WIDTH)
            self.cells[cell] = [one + other for one, other in zip(known, sums, strict=True)]
        left, come = funnel.before_and_after(changes, turns, layout.dimensions)
        for step, n in funnel.steps_of(left, come, layout.slices).items():
            self.steps[step] += n

    @property
    def filled(self) -> dict[Cell, list[int]]:
        return {cell: sums for cell, sums in self.cells.items() if any(sums)}

    @property
    def versions(self) -> Counter[str | None]:
        return Counter(version_of(truth) for truth in self.truths.values())
