"""Build a service's web application: its routers on the chassis that all services share."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args, get_origin

import msgspec
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic.fields import FieldInfo
from starlette.datastructures import QueryParams
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp

from shared.cloudevents import media_type
from shared.errors import FieldFault, Invalid, UnsupportedMedia, unknown_name
from shared.keys import KeyFile
from shared.metrics import Registry
from shared.stream.pipeline import Check, Health
from shared.web import problems
from shared.web.described import STATUS, described
from shared.web.documents import build_documents
from shared.web.door import Door, Protected, Turnstile, plain_headers
from shared.web.limits import BodyLimit, Counted
from shared.web.probes import Probe


@dataclass(frozen=True)
class Parts:
    """What a service says of itself. A check returns its fault, or None.

    `needed` decide readiness; `named` are shown only: a dead mail server does not make trigger
    unready. `loops` decide liveness: they must turn.
    """

    needed: Mapping[str, Check] = field(default_factory=dict)
    named: Mapping[str, Check] = field(default_factory=dict)
    loops: Sequence[Health] = ()


def build_web(
    name: str,
    *,
    routers: Sequence[APIRouter],
    parts: Parts,
    registry: Registry,
    keys: KeyFile,
    door: Door | None = None,
) -> FastAPI:
    """Return the application. Without a `door` nothing is limited in how often."""
    door = door or Door()
    routers = [*routers, _health_router(name, parts, registry)]
    app = Application(name, routers, door)
    app.state.keys = keys
    problems.install(app)
    for router in (*routers, build_documents(shown=door.docs)):
        app.include_router(router)
    app.add_middleware(BodyLimit, limits=door.bodies)
    app.add_middleware(Turnstile, door=door, keys=keys)
    app.add_middleware(Counted, metrics=registry.http)
    return app


class Application(FastAPI):
    """FastAPI whose document says every answer, and whose every answer has the headers."""

    def __init__(self, name: str, routers: Sequence[APIRouter], door: Door) -> None:
        super().__init__(
            title=f"Earshot {name}",
            version="1",
            dependencies=[Depends(refuse_unknown_query), Depends(refuse_other_media)],
            redirect_slashes=False,
            openapi_url=None,  # both are ours: FastAPI's page loads its script from elsewhere
            docs_url=None,
            redoc_url=None,
        )
        self.routers = routers
        self._door = door

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = described(super().openapi(), self.routers)
        return self.openapi_schema

    def build_middleware_stack(self) -> ASGIApp:
        """All layers; the headers stand outside of what answers 500."""
        return Protected(super().build_middleware_stack(), plain_headers(https=self._door.https))


def json_response(body: Any, status: int = 200) -> Response:
    """A JSON reply of anything that msgspec encodes; times in RFC 3339, UTC."""
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/json")


async def refuse_unknown_query(request: Request) -> None:
    """422 for a misspelt parameter: one that is ignored answers another question.

    Likewise for one that is told twice where one value is taken, and for a zero character in a
    parameter or the path, which no database takes.
    """
    route = request.scope.get("route")
    dependant = getattr(route, "dependant", None)
    if dependant is None or not (request.query_params or request.path_params):
        return
    known = problems.query_parameters(dependant)
    faults = [unknown_name(name, name, known) for name in request.query_params if name not in known]
    faults += _told_twice(request.query_params, known)
    texts = [*request.query_params.multi_items(), *request.path_params.items()]
    accepted = "a text without zero characters"
    faults += [FieldFault(n, "out-of-range", None, accepted) for n, t in texts if "\0" in str(t)]
    if faults:
        raise Invalid.of(faults)


async def refuse_other_media(request: Request) -> None:
    """415 where a route reads JSON and the body says that it is something else, or nothing."""
    dependant = getattr(request.scope.get("route"), "dependant", None)
    if dependant is None or not dependant.body_params or not await request.body():
        return
    media = media_type(request.headers.get("content-type"))
    if media != "application/json" and not media.endswith("+json"):
        said = media or "a body without content-type"
        raise UnsupportedMedia(f"{said} is not taken here; accepted: application/json")


def _told_twice(query: QueryParams, known: Mapping[str, FieldInfo]) -> list[FieldFault]:
    """Of two values the last would be taken, and the first ignored."""
    several = {name: query.getlist(name) for name in query if name in known}
    return [
        FieldFault(name, "out-of-range", ", ".join(values), "one value, told once")
        for name, values in several.items()
        if len(values) > 1 and not _takes_several(known[name])
    ]


def _takes_several(parameter: FieldInfo) -> bool:
    kinds = (parameter.annotation, *get_args(parameter.annotation))
    return any(get_origin(kind) is list for kind in kinds)


def _health_router(name: str, parts: Parts, registry: Registry) -> APIRouter:
    router = APIRouter(tags=["health"])
    probes = {part: Probe(check) for part, check in {**parts.named, **parts.needed}.items()}

    @router.get("/healthz", summary="Does the loop turn?", responses=STATUS)
    async def healthz() -> Response:
        stuck = any(loop.stuck() for loop in parts.loops)
        return json_response(
            {"service": name, "status": "stuck" if stuck else "ok"}, 503 if stuck else 200
        )

    @router.get("/readyz", summary="Can it do what it is for?", responses=STATUS)
    async def readyz() -> Response:
        found = await asyncio.gather(*(probe.fault() for probe in probes.values()))
        faults = dict(zip(probes, found, strict=True))
        ready = not any(faults[part] for part in parts.needed)
        shown = {part: fault or "ok" for part, fault in faults.items()}
        body = {"service": name, "status": "ready" if ready else "not ready", "parts": shown}
        return json_response(body, 200 if ready else 503)

    @router.get("/metrics", summary="Prometheus series", response_class=PlainTextResponse)
    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router
