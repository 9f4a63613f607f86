"""`GET /v1/decisions` explains what became of events; `POST /v1/preview` what would."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from services.trigger.domain.decisions import Decision, decide, questions_of
from services.trigger.domain.occasions import PREFIXES, read_occasion
from services.trigger.domain.reasons import Reason
from services.trigger.domain.records import survey_decision
from services.trigger.handlers import Desk
from services.trigger.store.outbox import read_decision
from services.trigger.store.queries import Queries
from shared.cloudevents import media_type, read_event
from shared.errors import FieldFault, Invalid, Refused, UnsupportedMedia, answer_to
from shared.events import Event, SurveyDecision
from shared.keys import require_scope
from shared.programme.models import Programme
from shared.web import Page, decode_cursor, page_of
from shared.web.app import json_response
from shared.web.pages import Cursor, Limit, not_ours

_SHOWN: Final = (
    *("source", "event_id", "event_type", "event_time", "customer_id", "subject_id", "touchpoint"),
    *("segments", "trigger", "survey", "decision", "reason", "sentence", "invitation_id"),
    *("decided_at", "programme"),
)
_GREATEST: Final = 2**63 - 1
Text = Annotated[str | None, Query(min_length=1, max_length=500)]


def build_decisions(
    queries: Queries,
    programme: Programme,
    channels: frozenset[str],
    clock: Callable[[], datetime],
) -> APIRouter:
    """The ledger, and the preview of one event."""
    router = APIRouter(tags=["decisions"])

    @router.get(
        "/v1/decisions",
        summary="What became of events, and why",
        dependencies=[Depends(require_scope("decisions:read"))],
    )
    async def decisions(
        *,
        event_id: Text = None,
        customer_id: Text = None,
        trigger: Text = None,
        reason: Annotated[Reason | None, Query()] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        named = {"event_id": event_id, "customer_id": customer_id, "trigger": trigger}
        where = {name: value for name, value in (named | {"reason": reason}).items() if value}
        rows = await queries.decisions(where, _place(cursor), limit)
        page = page_of(rows, limit, lambda row: (row["seq"],))
        items = [_shown(read_decision(row), row["facts"]) for row in page.items]
        return json_response(Page(items=items, next=page.next))

    @router.post(
        "/v1/preview",
        summary="What would become of an event now; nothing is sent or stored",
        dependencies=[Depends(require_scope("preview"))],
    )
    async def preview(request: Request) -> Response:
        event = _event(request.headers, await request.body())
        try:
            occasion = read_occasion(event, programme.segments.paths)
        except Refused as error:
            raise answer_to(error) from None
        desk = Desk(programme, channels, clock())
        facts = await queries.facts(occasion, desk)
        decided = decide(event, facts, programme, desk.now)
        due = {
            question.trigger.key: question.due_at(programme)
            for question in questions_of(occasion, programme, desk.now, desk.now)
        }
        items = [_previewed(decision) for decision in decided]
        for item, decision in zip(items, decided, strict=True):
            if decision.waits and decision.trigger is not None:
                at = due[decision.trigger]
                then = decide(event, facts, programme, at)
                item["when_due"] = _foreseen(then, decision.trigger)
        return json_response(Page(items=items))

    return router


def _previewed(decision: Decision) -> dict[str, Any]:
    return _shown(survey_decision(decision, preview=True), decision.facts)


def _foreseen(decisions: Sequence[Decision], trigger: str) -> dict[str, Any]:
    """What a trigger would decide once the wait is over, if nothing else came."""
    (decision,) = (each for each in decisions if each.trigger == trigger)
    shown = _previewed(decision)
    return {name: shown[name] for name in ("decision", "reason", "sentence", "decided_at")}


def _place(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    (place,) = decode_cursor(cursor, 1)
    if type(place) is not int or not 0 <= place <= _GREATEST:
        raise not_ours(cursor)
    return place


def _shown(decision: SurveyDecision, facts: Mapping[str, Any] | None) -> dict[str, Any]:
    """A decision with what was known and cannot be had again; the sentence has the words of it."""
    plain = msgspec.structs.asdict(decision)
    known = {name: fact for name, fact in (facts or {}).items() if name != "why"}
    return {**{name: plain[name] for name in _SHOWN}, "facts": known}


def _event(headers: Mapping[str, str], body: bytes) -> Event:
    named = media_type(headers.get("content-type"))
    if named not in ("", "application/json") and not named.endswith("+json"):
        raise UnsupportedMedia(f"{named} is not taken here; accepted: an event as JSON")
    try:
        event = read_event(named, headers, body)
    except Refused as error:
        raise answer_to(error) from None
    if not event.type.startswith(PREFIXES):
        accepted = " or ".join(f"{prefix}<word>" for prefix in PREFIXES)
        raise Invalid.of([FieldFault("type", "out-of-range", event.type, accepted)])
    return event
