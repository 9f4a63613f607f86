"""Who may come in where: each route of each service, and what it says to whom."""

import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final

import httpx
import pytest
import pytest_asyncio

from shared.keys import SCOPES
from tests.support.four import Served, four_services, routes_of, write_keys

OPEN: Final = "open"
# Open: health and series of each; the customers' pages; the API's documents, which are shut where
# keys are asked for; a submission, of which the body says whether a link or a key is needed.
COMMON: Final = {
    f"GET {path}": OPEN for path in ("/healthz", "/readyz", "/metrics", "/docs", "/openapi.json")
}
PAGES: Final = ("GET /s/{token}", "POST /s/{token}", "GET /s/{token}/thanks")
TABLE: Final[Mapping[str, Mapping[str, str]]] = {
    "ingest": {
        **dict.fromkeys((*PAGES, "GET /u/{token}", "POST /u/{token}"), OPEN),
        "POST /v1/responses": "responses:write",
        "POST /v1/responses/batch": "responses:write",
        "POST /v1/events": "events:write",
    },
    "scoring": {
        "GET /v1/scores": "scores:read",
        "GET /v1/trend": "scores:read",
        "GET /v1/reasons": "scores:read",
        "GET /v1/coverage": "scores:read",
        "GET /v1/segments": "scores:read",
        "GET /v1/stream": "scores:read",
        "GET /v1/export/scores": "scores:read",
        "GET /v1/responses": "responses:read",
        "GET /v1/export/responses": "responses:read",
    },
    "trigger": {
        "GET /v1/decisions": "decisions:read",
        "GET /v1/experiments": "decisions:read",
        "GET /v1/experiments/{name}": "decisions:read",
        "POST /v1/preview": "preview",
        "GET /v1/invitations": "invitations:read",
        "GET /v1/invitations/{invitation_id}": "invitations:read",
        "POST /v1/suppressions": "suppressions:write",
        "GET /v1/suppressions/{customer_id:path}": "suppressions:read",
        "DELETE /v1/suppressions/{customer_id:path}": "suppressions:write",
    },
    "alerts": {
        "GET /v1/alerts": "alerts:read",
        "GET /v1/alerts/{alert_id}": "alerts:read",
        "GET /v1/alerts/{alert_id}/changes": "alerts:read",
        "GET /v1/alerts/{alert_id}/sensitivity": "alerts:read",
        "GET /v1/audit": "alerts:read",
        "GET /v1/destinations": "alerts:read",
        "GET /v1/destinations/{name}/dead-letters": "alerts:read",
        "GET /v1/promise": "alerts:read",
        "GET /v1/sensitivity": "alerts:read",
        "GET /v1/silences": "alerts:read",
        "GET /v1/silences/{silence_id}": "alerts:read",
        "POST /v1/alerts/{alert_id}/accept": "alerts:write",
        "POST /v1/alerts/{alert_id}/acknowledge": "alerts:write",
        "POST /v1/alerts/{alert_id}/resolve": "alerts:write",
        "POST /v1/destinations/{name}/dead-letters/drop": "alerts:write",
        "POST /v1/destinations/{name}/dead-letters/retry": "alerts:write",
        "POST /v1/destinations/{name}/enable": "alerts:write",
        "POST /v1/silences": "alerts:write",
        "DELETE /v1/silences/{silence_id}": "alerts:write",
    },
}
CLOSED: Final = [
    pytest.param(service, route, scope, id=f"{service} {route}")
    for service, routes in TABLE.items()
    for route, scope in routes.items()
    if scope != OPEN
]
BODIES: Final = {"POST": {"id": "r-1", "survey": "post-call", "answers": {"score": 2}}}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A key that opens one scope alone, and one that opens all others, for each scope."""
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    alone = {scope.replace(":", "."): [scope] for scope in SCOPES}
    others = {f"not.{n}": set(SCOPES) - set(opens) for n, opens in alone.items()}
    return path, write_keys(path, {**alone, **others})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def services(
    database_url: str, keys: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, Served]]:
    var = tmp_path_factory.mktemp("var")
    async with four_services(database_url, var, keys_file=keys[0]) as services:
        yield services


async def ask(served: Served, route: str, key: str | None) -> httpx.Response:
    method, path = route.split(" ")
    path = re.sub(r"\{[^}]*\}", "x", path)
    if path == "/v1/stream":
        path += "?metric=none"  # refused, where the door is open, and not a stream without end
    headers = {} if key is None else {"authorization": key}
    async with served.client() as client:
        return await client.request(method, path, headers=headers, json=BODIES.get(method))


@pytest.mark.parametrize("service", TABLE)
async def test_each_route_stands_in_the_table(services: dict[str, Served], service: str) -> None:
    found = {f"{method} {path}" for method, path in routes_of(services[service].app)}

    assert found == set(TABLE[service]) | set(COMMON)


@pytest.mark.parametrize(("service", "route", "scope"), CLOSED)
async def test_a_closed_route_opens_by_its_scope_alone(
    services: dict[str, Served],
    keys: tuple[Path, dict[str, str]],
    service: str,
    route: str,
    scope: str,
) -> None:
    name = scope.replace(":", ".")
    served = services[service]

    without = await ask(served, route, None)
    unknown = await ask(served, route, "Bearer esk_x_guessed")
    others = await ask(served, route, keys[1][f"not.{name}"])
    its_own = await ask(served, route, keys[1][name])

    assert (without.status_code, unknown.status_code, others.status_code) == (401, 401, 403)
    assert scope in others.json()["detail"]
    assert its_own.status_code not in (401, 403)
    for refused in (without, unknown, others):
        assert refused.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("service", TABLE)
async def test_an_open_route_asks_for_no_key(services: dict[str, Served], service: str) -> None:
    routes = [route for route, scope in {**TABLE[service], **COMMON}.items() if scope == OPEN]

    for route in routes:
        reply = await ask(services[service], route, None)
        shut = route.endswith(("/docs", "/openapi.json", "{token}", "/thanks"))
        assert reply.status_code == (404 if shut else 200), route
