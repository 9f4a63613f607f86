"""The API of alerts, on opened parts, with what the service says of itself."""

from collections.abc import Callable

from fastapi import FastAPI

from services.alerts.api import (
    Known,
    Streams,
    build_audit,
    build_destinations,
    build_promise,
    build_router,
    build_sensitivity,
    build_silences,
)
from services.alerts.app.core import Core
from services.alerts.app.workers import Posts
from services.alerts.metrics import REGISTRY
from shared.db import database_check
from shared.keys import KeyFile
from shared.web import Check, Parts, build_web
from shared.web.door import open_door


def build_alerts_web(core: Core, posts: Posts, topics: Check) -> FastAPI:
    """The API; no customer ever sees it."""
    counting, judge, publishing = posts.counting, posts.judge, posts.publishing

    async def dimensions() -> str | None:
        full = judge.full_dimensions
        return f"further values count as other: {', '.join(full)}" if full else None

    needed = {
        "database": database_check(core.engine),
        "topics": topics,
        "consumer": _said(counting.fault),
        "judge": _said(judge.health.fault),
        "publishing": _said(publishing.health.fault),
    }
    named = {f"destination {one.name}": _said(one.why_not_told) for one in core.delivering}
    named |= {"dimensions": dimensions, "version": _said(lambda: judge.outdated)}
    loops = [counting, judge.health, publishing.health]
    known = Known(tuple(core.programme.surveys), core.programme.segments.lattice.dimensions)
    return build_web(
        "alerts",
        routers=[
            build_router(core.engine, core.ways, core.clock),
            build_destinations(core.engine, core.addressees, core.clock),
            build_silences(core.engine, known, core.clock),
            build_audit(core.engine),
            build_promise(core.engine, core.terms.policy),
            build_sensitivity(Streams(core.engine, core.terms.policy, core.terms.lattice)),
        ],
        parts=Parts(needed=needed, named=named, loops=loops),
        registry=REGISTRY,
        keys=KeyFile(core.settings.keys_file, REGISTRY.keys),
        door=open_door(core.settings),
    )


def _said(fault: Callable[[], str | None]) -> Check:
    async def check() -> str | None:
        return fault()

    return check
