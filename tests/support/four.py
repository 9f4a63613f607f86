"""The four web applications as they are served, on a database and without Kafka."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr
from starlette.routing import Route

from services.alerts.app.core import Core as AlertsCore
from services.alerts.app.web import build_alerts_web
from services.alerts.app.workers import Posts
from services.alerts.settings import AlertsSettings
from services.scoring.app.core import Core as ScoringCore
from services.scoring.app.web import build_scoring_web
from services.scoring.app.workers import Signs
from services.scoring.settings import ScoringSettings
from services.trigger.app import build_trigger_web, open_core
from shared.clock import CommonClock
from shared.db import open_engine
from shared.keys import new_key
from shared.stream import Health
from shared.stream.records import Broker
from shared.web.app import Application
from tests.support.ingest import PROGRAMME, Rig
from tests.support.trigger_api import no_topics, settings

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Served:
    """One service: what is served, and the application behind it."""

    web: Any
    app: Application

    def client(self, address: str = "127.0.0.1", **headers: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(
            app=self.web, raise_app_exceptions=False, client=(address, 1)
        )
        return httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)


def write_keys(path: Path, scopes: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """A file with a key for each holder; their headers."""
    drawn = {name: new_key(name) for name in scopes}
    entries = [
        {"id": name, "sha256": drawn[name][1], "scopes": list(opens)}
        for name, opens in scopes.items()
    ]
    path.write_text(json.dumps(entries))
    return {name: f"Bearer {text}" for name, (text, _) in drawn.items()}


@asynccontextmanager
async def four_services(
    url: str, var: Path, statement: timedelta = timedelta(seconds=20), **changes: Any
) -> AsyncIterator[dict[str, Served]]:
    """All four by name; `changes` are settings of all."""
    common = {
        "kafka_bootstrap": "127.0.0.1:1",
        "database_url": SecretStr(url),
        "programme": ROOT / "programme",
        "database_statement": statement,
        **changes,
    }
    async with AsyncExitStack() as stack:
        core = await open_core(settings(url, var, database_statement=statement, **changes), stack)
        trigger = build_trigger_web(core, Health(), no_topics)

        async def engine_of(schema: str) -> Any:
            return await stack.enter_async_context(
                open_engine(url, schema=schema, statement=statement)
            )

        counting = await engine_of("scoring")
        scoring_core = ScoringCore(
            ScoringSettings(**common), PROGRAMME, counting, CommonClock(counting)
        )
        signs = Signs(Health(), asyncio.Event())
        scoring = build_scoring_web(scoring_core, signs, no_topics, lambda: 0.0)
        judging = await engine_of("alerts")
        alerts_core = AlertsCore(
            AlertsSettings(**common), PROGRAMME, judging, CommonClock(judging), ()
        )
        nowhere: Any = None
        posts = Posts.open(alerts_core, Broker("127.0.0.1:1", "log"), nowhere, nowhere)
        alerts = build_alerts_web(alerts_core, posts, no_topics)
        ingest: Any = Rig(settings=changes).web()
        yield {
            "ingest": Served(ingest, ingest._app),  # noqa: SLF001 - what it stands before
            "scoring": Served(scoring, _plain(scoring)),
            "trigger": Served(trigger, _plain(trigger)),
            "alerts": Served(alerts, _plain(alerts)),
        }


def _plain(app: Any) -> Application:
    assert isinstance(app, Application)
    return app


def routes_of(app: Application) -> Iterator[tuple[str, str]]:
    """Method and path of everything that the application answers, documented or not."""
    for included in app.routes:
        router = getattr(included, "original_router", None)
        assert router is not None, f"{included} is reached in a way that is not looked at"
        for route in router.routes:
            assert isinstance(route, Route), route
            for method in (route.methods or set()) - {"HEAD"}:
                yield method, route.path
