"""`/openapi.json` and `/docs`: what each route needs, and every answer that it may give."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from shared.keys import RequiredScope

Json = dict[str, Any]
_READING: Final = frozenset({"GET", "HEAD"})
_TEXT: Final = {"type": "string"}
PROBLEM: Final[Json] = {
    "type": "object",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        **dict.fromkeys(("type", "title", "detail"), _TEXT),
        "status": {"type": "integer"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "accepted"],
                "properties": {
                    **dict.fromkeys(("field", "code", "accepted"), _TEXT),
                    "value": {"type": ["string", "null"]},
                },
            },
        },
    },
}
_STATUS: Final[Json] = {
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["service", "status"],
                "properties": {
                    "service": _TEXT,
                    "status": _TEXT,
                    "parts": {"type": "object", "additionalProperties": _TEXT},
                },
            }
        }
    }
}
STATUS: Final[dict[int | str, Json]] = {
    200: {**_STATUS, "description": "Yes"},
    503: {**_STATUS, "description": "No; `parts` says why"},
}
_ANY: Final = {
    422: "A field's fault, each named with what is accepted",
    429: "More often than is allowed: again after Retry-After",
    503: "The database or Kafka is away, or took too long: again after Retry-After",
}
_KEYED: Final = {401: "No key, or not a valid one", 403: "The key lacks the scope"}
_WRITING: Final = {
    400: "Not JSON",
    404: "There is none of what is named",
    408: "The body did not come in time",
    413: "Too large",
    409: "Its state forbids it",
    415: "Not a content type taken here",
}
_NAMED: Final = {404: "There is none of that name"}


def scope_of(dependant: Dependant) -> str | None:
    """The scope that a route asks for; None where it asks for none."""
    for inner in dependant.dependencies:
        if isinstance(inner.call, RequiredScope):
            return inner.call.scope
    return None


def described(document: Json, routers: Sequence[APIRouter]) -> Json:
    """The document with the faults that the chassis answers with, and the scope of each route."""
    for route in _routes(routers):
        for method in route.methods or ():
            operation = document["paths"].get(route.path_format, {}).get(method.lower())
            if operation is not None:
                _complete(operation, route, method)
    parts = document.setdefault("components", {})
    parts.setdefault("schemas", {})["Problem"] = PROBLEM
    for unused in ("HTTPValidationError", "ValidationError"):
        parts["schemas"].pop(unused, None)
    parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    return document


def _routes(routers: Sequence[APIRouter]) -> Iterator[APIRoute]:
    for router in routers:
        yield from (route for route in router.routes if isinstance(route, APIRoute))


def _complete(operation: Json, route: APIRoute, method: str) -> None:
    replies = operation["responses"]
    for code, text in _faults(route, method).items():
        said = replies.get(str(code), {})
        if not said or "application/json" in said.get("content", {}):
            replies[str(code)] = _reply(said.get("description", text))
    scope = scope_of(route.dependant)
    if scope is not None:
        operation["security"] = [{"key": []}]
        told = operation.get("description", "")
        operation["description"] = f"{told}\n\nScope: `{scope}`.".strip()


def _reply(text: str) -> Json:
    shown = "A field's fault, each named with what is accepted"
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": shown if text == "Validation Error" else text, "content": content}


def _faults(route: APIRoute, method: str) -> dict[int, str]:
    if "health" in route.tags:
        return {422: _ANY[422]}
    faults = dict(_ANY)
    if scope_of(route.dependant) is not None:
        faults |= _KEYED
    if method not in _READING:
        faults |= _WRITING
    if "{" in route.path:
        faults |= _NAMED
    return faults
