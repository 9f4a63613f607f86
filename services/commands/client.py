"""The public interfaces, as the operator's verbs call them."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from math import inf
from typing import Any, Final

import httpx

from shared.settings import PREFIX, read_variable

_DEFAULT_PORTS: Final = {"ingest": 8001, "scoring": 8002, "trigger": 8003, "alerts": 8004}
_PATHS: Final = {"events": "/v1/events", "responses": "/v1/responses/batch"}
_TYPES: Final = {
    "events": "application/cloudevents-batch+json",
    "responses": "application/json",
}
_PATIENCE_S: Final = 120.0


class Unreachable(Exception):
    """A service does not answer, or refuses the call; the text says which and why."""


class Client:
    """Calls the four services on loopback, or where EARSHOT_<SERVICE>_URL says."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    def url(self, service: str) -> str:
        port = read_variable(f"{PREFIX}{service.upper()}_PORT", str(_DEFAULT_PORTS[service]))
        return read_variable(f"{PREFIX}{service.upper()}_URL", f"http://127.0.0.1:{port}")

    async def ready(self) -> dict[str, str]:
        """What each service lacks; empty when all are ready."""
        faults = {}
        for service in _DEFAULT_PORTS:
            try:
                reply = await self._http.get(f"{self.url(service)}/readyz")
            except httpx.HTTPError as error:
                faults[service] = type(error).__name__
            else:
                if reply.status_code != httpx.codes.OK:
                    parts = reply.json().get("parts", {}).items()
                    faults[service] = "; ".join(f"{k}: {v}" for k, v in parts if v != "ok")
        return faults

    async def get(self, service: str, path: str, params: Mapping[str, Any]) -> Any:
        """Ask until the service answers: it may be starting again. Raises Unreachable."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _PATIENCE_S
        while True:
            try:
                reply = await self._http.get(f"{self.url(service)}{path}", params=dict(params))
            except httpx.TransportError as error:
                if loop.time() > deadline:
                    raise Unreachable(f"{service}: {type(error).__name__}") from error
                await asyncio.sleep(0.5)
                continue
            busy = reply.status_code == httpx.codes.SERVICE_UNAVAILABLE
            if not busy or loop.time() > deadline:
                break
            await asyncio.sleep(0.5)
        if reply.status_code != httpx.codes.OK:
            raise Unreachable(f"{service} {path}: {reply.status_code} {reply.text[:300]}")
        return reply.json()

    async def send(self, kind: str, bodies: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Send a batch until all of it was taken or refused; return what was refused."""
        refused = []
        waiting = list(bodies)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _PATIENCE_S
        while waiting:
            if loop.time() > deadline:
                raise Unreachable(f"ingest took nothing for {_PATIENCE_S:.0f} s")
            items = await self._post(kind, waiting)
            if items is None:
                await asyncio.sleep(1)
                continue
            again = [item for item in items if _later(item)]
            refused += [item for item in items if item["status"] == "rejected" and not _later(item)]
            waiting = [waiting[item["index"]] for item in again]
        return refused

    async def _post(
        self, kind: str, bodies: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any]] | None:
        try:
            reply = await self._http.post(
                f"{self.url('ingest')}{_PATHS[kind]}", json=bodies,
                headers={"content-type": _TYPES[kind]},
            )  # fmt: skip
        except httpx.HTTPError:
            return None
        if reply.status_code in (429, 503):
            return None
        if reply.status_code != httpx.codes.MULTI_STATUS:
            raise Unreachable(f"ingest {_PATHS[kind]}: {reply.status_code} {reply.text[:300]}")
        items: list[dict[str, Any]] = reply.json()["items"]
        return items

    async def scores(self, **params: Any) -> Any:
        return await self.get("scoring", "/v1/scores", params)

    async def survey_token(self, customer_id: str) -> str | None:
        """The token of the customer's newest survey link, as soon as the survey was sent."""
        page = await self.get("trigger", "/v1/invitations", {"customer_id": customer_id})
        if not page["items"]:
            return None
        one = await self.get("trigger", f"/v1/invitations/{page['items'][0]['id']}", {})
        link: str | None = one.get("link")
        return link.rsplit("/", 1)[-1] if link else None

    async def answer(self, token: str, score: int) -> bool:
        """Answer a survey by its token; say whether it was taken."""
        reply = await self._http.post(
            f"{self.url('ingest')}/v1/responses", json={"token": token, "answers": {"score": score}}
        )
        return reply.status_code == httpx.codes.ACCEPTED

    async def resolve(self, alert_id: str, *, by: str, note: str) -> None:
        """End an alert; one that has ended meanwhile is no error."""
        await self._http.post(
            f"{self.url('alerts')}/v1/alerts/{alert_id}/resolve", json={"by": by, "note": note}
        )

    async def alerts(self) -> list[dict[str, Any]]:
        """Every alert, oldest first."""
        found: list[dict[str, Any]] = []
        cursor: dict[str, Any] = {}
        while True:
            page = await self.get("alerts", "/v1/alerts", {"limit": 500, **cursor})
            found += page["items"]
            if page["next"] is None:
                return sorted(found, key=lambda alert: str(alert["opened_at"]))
            cursor = {"cursor": page["next"]}

    async def need_dimensions(self, dimensions: Sequence[str]) -> None:
        """Raise Unreachable where the running programme lacks a dimension."""
        page = await self.get("scoring", "/v1/segments", {})
        known = {item["dimension"] for item in page["items"]}
        missing = [name for name in dimensions if name not in known]
        if missing:
            raise Unreachable(
                f"The system that runs has no dimension {', '.join(missing)}; it has "
                f"{', '.join(sorted(known))}. Stop it (`make stop`) and this verb starts one that "
                "fits, or name a programme with EARSHOT_PROGRAMME."
            )

    async def settled(self) -> None:
        """Return once nothing has changed for a while and nobody is behind."""
        quiet, last = 0, None
        loop = asyncio.get_running_loop()
        deadline = loop.time() + 10 * _PATIENCE_S
        while quiet < 8 and loop.time() < deadline:
            await asyncio.sleep(0.5)
            now = await self._state()
            quiet = quiet + 1 if now == last and now[0] == 0 else 0
            last = now

    async def _state(self) -> tuple[float, Any]:
        behind, counts = 0.0, []
        for metric in ("nps", "csat", "ces"):
            reply = await self.scores(metric=metric, **{"from": "2000-01-01T00:00:00Z"})
            told = reply["behind_s"]  # null where nobody knows
            behind = max(behind, inf if told is None else told)
            counts += [group["n"] for group in reply["groups"]]
        judged = (await self.get("alerts", "/v1/alerts", {"limit": 1})).get("judged_to")
        return behind, (tuple(counts), judged)


def _later(item: Mapping[str, Any]) -> bool:
    return item["status"] == "rejected" and item["error"].get("status") in (429, 503)


@asynccontextmanager
async def open_client() -> AsyncIterator[Client]:
    headers = {}
    if key := read_variable(f"{PREFIX}API_KEY"):
        headers["authorization"] = f"Bearer {key}"
    async with httpx.AsyncClient(timeout=40, headers=headers, trust_env=False) as http:
        yield Client(http)
