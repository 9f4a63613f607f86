"""The OpenAPI description of what `domain/` reads, in the terms of JSON Schema.

A test compares the names and limits here with those that the domain enforces.
"""

from dataclasses import dataclass
from typing import Any, Final

from services.ingest.api.batch import LINES, MOST
from services.ingest.domain.fields import LONGEST_COMMENT, LONGEST_ID, MOST_REASONS, MOST_SEGMENTS
from shared.cloudevents import BATCH, STRUCTURED
from shared.programme.metrics import METRIC_NAMES
from shared.segments import LONGEST_VALUE

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Doc:
    """One route: its body, its good status, every reply."""

    request: Schema
    status: int
    responses: dict[int | str, Schema]


def _text(longest: int, description: str, **more: Any) -> Schema:
    return {"type": "string", "maxLength": longest, "description": description, **more}


def _object(properties: Schema, required: list[str], **more: Any) -> Schema:
    closed = {"type": "object", "additionalProperties": False}
    return {**closed, "properties": properties, "required": required, **more}


_ID = _text(LONGEST_ID, "Opaque; names this answer for ever.", minLength=1)
_ANSWERS = _object(
    {
        "score": {"type": "integer", "description": "A whole number on the survey's scale."},
        "reasons": {
            "type": "array",
            "maxItems": MOST_REASONS,
            "items": {"type": "string", "maxLength": LONGEST_VALUE},
        },
        "comment": _text(LONGEST_COMMENT, "The customer's own words."),
    },
    ["score"],
)
_SHARED: Schema = {
    "answers": _ANSWERS,
    "id": _ID,
    "customer_id": _text(LONGEST_ID, "Opaque id of the customer."),
    "touchpoint": _text(LONGEST_VALUE, "Where the customer was met, such as delivery."),
    "answered_at": {
        "type": "string",
        "format": "date-time",
        "description": "Absent: the time of receipt. At most 5 minutes ahead.",
    },
    "language": _text(35, "A language tag, such as de or de-AT."),
    "channel": _text(LONGEST_VALUE, "How the answer was given; absent: api."),
}
_ABOUT: Schema = {
    "survey": _text(LONGEST_ID, "Key of a survey of the programme."),
    "metric": {"type": "string", "enum": list(METRIC_NAMES)},
    "scale_max": {"type": "integer", "description": "5 or 10 for csat by metric (default 5)."},
    "segments": {
        "type": "object",
        "maxProperties": MOST_SEGMENTS,
        "additionalProperties": {"type": "string", "maxLength": LONGEST_VALUE},
    },
}
BY_TOKEN: Final = _object(
    {"token": {"type": "string", "description": "From the customer's link."}, **_SHARED},
    ["token", "answers"],
    title="By the customer's link",
)
INVITED: Final = _object(
    {"invitation_id": _ID, **_ABOUT, **_SHARED},
    ["invitation_id", "survey", "answers"],
    title="Invited, from another channel",
)
UNINVITED: Final = _object(
    {**_ABOUT, **_SHARED},
    ["id", "answers"],
    title="Uninvited: kiosk, IVR, import",
    anyOf=[{"required": ["survey"]}, {"required": ["metric"]}],
)
_SUBMISSION: Schema = {"anyOf": [BY_TOKEN, INVITED, UNINVITED]}
_NULLABLE: Schema = {"type": ["string", "null"]}
PROBLEM: Final = _object(
    {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": _object(
                dict.fromkeys(("field", "code", "value", "accepted"), _NULLABLE),
                ["field", "code", "accepted"],
            ),
        },
    },
    ["type", "title", "status", "detail"],
)
_EVENT = {
    "type": "object",
    "description": "A CloudEvent 1.0 of type transaction.<word> or support_call.<word>.",
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string"},
        "source": {"type": "string"},
        "type": {"type": "string", "pattern": "^(transaction|support_call)\\.[^.\\s]\\S*$"},
        "time": {"type": "string", "format": "date-time"},
        "subject": {"type": "string"},
        "data": {"type": "object"},
    },
    "required": ["id", "source", "type", "time"],
}
_FAULTS = {
    400: "Not JSON",
    401: "No key, or not a valid one",
    403: "The key lacks the scope",
    413: "Too large",
    415: "Not a content type taken here",
    422: "A field's fault, each named with what is accepted",
    503: "Kafka is away: send it again after Retry-After",
}


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}


def _replies(status: int, good: Schema, more: dict[int, str]) -> dict[int | str, Schema]:
    faults = sorted((_FAULTS | more).items())
    problem = {"application/problem+json": {"schema": PROBLEM}}
    return {
        status: {"description": "Every in-sync replica has it", "content": _json(good)},
        **{code: {"description": text, "content": problem} for code, text in faults},
    }


def _outcomes(names: tuple[str, ...]) -> Schema:
    item = _object(
        {
            "index": {"type": "integer"},
            **dict.fromkeys(names, _NULLABLE),
            "status": {"enum": ["accepted", "rejected"]},
            "error": PROBLEM,
        },
        ["index", *names, "status"],
    )
    items = {"type": "array", "items": item}
    return _object({"items": items, "next": {"type": "null"}}, ["items", "next"])


def _accepted(names: tuple[str, ...]) -> Schema:
    texts = {name: {"type": "string"} for name in names}
    return _object({**texts, "status": {"const": "accepted"}}, [*names, "status"])


_LINK = {404: "The token is not genuine", 410: "Expired, or the survey is no longer asked"}
RESPONSE_DOC: Final = Doc(
    {"required": True, "content": _json(_SUBMISSION)},
    202,
    _replies(202, _accepted(("id",)), _LINK),
)
_MANY = {"type": "array", "maxItems": MOST, "items": _SUBMISSION}
BATCH_DOC: Final = Doc(
    {"required": True, "content": {**_json(_MANY), LINES[0]: {"schema": _SUBMISSION}}},
    207,
    _replies(207, _outcomes(("id",)), {}),
)
_EVENTS = {"type": "array", "maxItems": MOST, "items": _EVENT}
_EVENT_OR_DATA = {"schema": {"type": "object", "description": "Bare event; with ce- headers, data"}}
EVENT_DOC: Final = Doc(
    {
        "required": True,
        "content": {
            STRUCTURED: {"schema": _EVENT},
            BATCH: {"schema": _EVENTS},
            "application/json": _EVENT_OR_DATA,
        },
    },
    202,
    {
        207: {"description": "For a batch", "content": _json(_outcomes(("source", "id")))},
        **_replies(202, _accepted(("source", "id")), {}),
    },
)
