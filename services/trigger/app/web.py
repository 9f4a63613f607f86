"""The API of trigger; no customer ever sees it."""

from fastapi import FastAPI

from services.trigger.api import Suppressing, build_decisions, build_invitations, build_suppressions
from services.trigger.api.experiments import Laboratory, build_experiments
from services.trigger.app.core import Core
from services.trigger.metrics import REGISTRY
from services.trigger.store.experiments import ExperimentStore
from services.trigger.store.queries import Queries
from services.trigger.store.suppressions import SuppressionStore
from shared.db import database_check
from shared.keys import KeyFile
from shared.stream import Health
from shared.web import Check, Parts, build_web
from shared.web.door import open_door


def build_trigger_web(core: Core, health: Health, topics: Check) -> FastAPI:
    """The API; no customer ever sees it."""
    queries = Queries(core.engine)
    suppressing = Suppressing(SuppressionStore(core.engine), core.clock, core.wake)
    laboratory = Laboratory(ExperimentStore(core.engine), core.programme)

    async def consumer() -> str | None:
        return health.fault()

    async def senders() -> str | None:
        return core.dispatch.fault

    return build_web(
        "trigger",
        routers=[
            build_decisions(queries, core.programme, core.channels, core.clock),
            build_invitations(queries, core.links.survey),
            build_suppressions(suppressing),
            build_experiments(laboratory, core.clock),
        ],
        parts=Parts(
            needed={
                "database": database_check(core.engine),
                "topics": topics,
                "consumer": consumer,
            },
            named={"senders": senders},
            loops=[health],
        ),
        registry=REGISTRY,
        keys=KeyFile(core.settings.keys_file, REGISTRY.keys),
        door=open_door(core.settings),
    )
