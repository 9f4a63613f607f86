"""By which name series, traces and logs call a request: its route's template, never its path.

A path is unbounded, and a survey's has its token in it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Named:
    """Stands in a request's scope as `route`, where the framework puts only its own."""

    path: str


def template_of(scope: Mapping[str, Any]) -> str | None:
    """The template of the route that was found; None before one was."""
    found: str | None = getattr(scope.get("route"), "path", None)
    return found


def add_plain(router: APIRouter, path: str, endpoint: Endpoint, method: str = "GET") -> None:
    """Add a route that stands in no document and takes whatever parameter comes."""

    async def named(request: Request) -> Response:
        request.scope["route"] = Named(path)
        return await endpoint(request)

    router.add_route(path, named, methods=[method])
