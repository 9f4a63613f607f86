"""Errors as RFC 9457, whoever raised them."""

import json
from collections.abc import Collection, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from pydantic.fields import FieldInfo
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from shared.errors import (
    BadJson,
    EarshotError,
    FieldFault,
    Invalid,
    Unavailable,
    unknown_name,
)
from shared.metrics.http import NO_ROUTE
from shared.stream.records import KafkaUnavailable
from shared.stream.verdict import Verdict, judge
from shared.web.naming import template_of

_log = structlog.get_logger()
_AWAY: Final = "the database or Kafka is away for the moment"
_SLOW: Final = "it took longer than EARSHOT_DATABASE_STATEMENT allows; ask for less, or again later"
PROBLEM = "application/problem+json"
_SOURCES = {"body", "query", "path", "header"}
_RANGES = ("greater_than", "less_than", "too_long", "too_short", "literal", "enum")


def problem_response(error: EarshotError) -> Response:
    """The reply for an expected error."""
    return Response(
        _encode(error.problem()),
        status_code=error.status,
        media_type=PROBLEM,
        headers=error.headers(),
    )


def _encode(body: Any) -> bytes:
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:  # what was refused holds half a surrogate pair
        return json.dumps(body).encode()


def install(app: FastAPI) -> None:
    """Render every error of the application as a problem."""

    @app.exception_handler(EarshotError)
    async def expected(_: Request, error: EarshotError) -> Response:
        return problem_response(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        parameters = query_parameters(getattr(request.scope.get("route"), "dependant", None))
        told = {name: one.description or "" for name, one in parameters.items()}
        return problem_response(from_validation(error.errors(), _body_names(request), told))

    @app.exception_handler(UnicodeEncodeError)
    async def no_text(_: Request, error: UnicodeEncodeError) -> Response:
        detail = f"a text holds half a surrogate pair, which UTF-8 cannot carry: {error.reason}"
        return problem_response(Invalid(detail))

    @app.exception_handler(HTTPException)
    async def plain(_: Request, error: HTTPException) -> Response:
        return _status_problem(error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(SQLAlchemyError)
    @app.exception_handler(KafkaUnavailable)
    @app.exception_handler(OSError)  # TimeoutError is one
    async def weather(request: Request, error: Exception) -> Response:
        verdict = judge(error)
        if not verdict.passes:
            return await bug(request, error)
        _log.warning("answered 503", route=_route(request), error=type(error).__name__)
        slow = verdict is Verdict.SLOW
        return problem_response(Unavailable(_SLOW if slow else _AWAY))

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> Response:
        _log.error("request failed", method=request.method, route=_route(request), exc_info=error)
        return _status_problem(500, "a fault of ours; it is in the log", {})


def _route(request: Request) -> str:
    return template_of(request.scope) or NO_ROUTE


def _status_problem(status: int, detail: str, headers: dict[str, str]) -> Response:
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    return Response(_encode(body), status_code=status, media_type=PROBLEM, headers=headers)


def _body_names(request: Request) -> set[str]:
    """The fields that the route's body may have."""
    dependant = getattr(request.scope.get("route"), "dependant", None)
    models = [param.field_info.annotation for param in dependant.body_params] if dependant else []
    return {name for model in models for name in getattr(model, "model_fields", ())}


def query_parameters(dependant: Dependant | None) -> dict[str, FieldInfo]:
    """The query parameters of a route, by name."""
    if dependant is None:
        return {}
    found = {param.alias: param.field_info for param in dependant.query_params}
    for inner in dependant.dependencies:
        found |= query_parameters(inner)
    return found


def from_validation(
    errors: Sequence[Any], known: Collection[str], told: Mapping[str, str]
) -> EarshotError:
    """Turn pydantic's findings into ours.

    `known` are the names that the body may hold; `told` is what is said of query parameters.
    """
    if any(error["type"] == "json_invalid" for error in errors):
        return BadJson("the body is not JSON")
    return Invalid.of([_fault(error, known, told) for error in errors])


def _fault(error: Any, known: Collection[str], told: Mapping[str, str]) -> FieldFault:
    location = [str(part) for part in error["loc"] if part not in _SOURCES]
    name, kind = ".".join(location) or "body", str(error["type"])
    if kind == "missing":
        said = told.get(name) if error["loc"][0] == "query" else None
        return FieldFault(name, "missing-field", None, said or "a value is needed")
    if kind == "extra_forbidden":
        return unknown_name(name, location[-1], known)
    code = "out-of-range" if any(word in kind for word in _RANGES) else "wrong-type"
    shown = error.get("input")
    text = shown if isinstance(shown, str) else repr(shown)
    return FieldFault(name, code, text[:100], _accepted(kind, error))


def _accepted(kind: str, error: Any) -> str:
    """What would have been taken, in plain words; pydantic's own where we have none."""
    context = error.get("ctx") or {}
    if "expected" in context:
        return str(context["expected"]).replace("'", "")
    known = {
        "int": "a whole number",
        "float": "a number",
        "bool": "true or false",
        "datetime": "RFC 3339 with offset, such as 2026-11-21T10:00:00Z",
        "timezone": "RFC 3339 with offset, such as 2026-11-21T10:00:00Z",
        "string_type": "a text",
        "model_attributes_type": "an object",
    }
    for start, words in known.items():
        if kind.startswith(start):
            return words
    return str(error["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
