"""Wires ingest: one producer, no database, two doors (machines and customers)."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

from services.ingest.api import BATCH_LIMIT, Gate, HotPath, Submissions, build_router
from services.ingest.domain.catalogue import Asked, Catalogue
from services.ingest.handlers.answers import Intake
from services.ingest.handlers.ports import Outside
from services.ingest.metrics import PRODUCER, REGISTRY
from services.ingest.pages import TriggerOptOuts, Views, Wiring, build_pages, open_client
from services.ingest.settings import IngestSettings
from shared.broker import broker_of, topics_check
from shared.clock import AckClock
from shared.flows import FLOWS
from shared.keys import KeyFile
from shared.process import Service
from shared.programme.loading import load_programme
from shared.programme.models import Programme
from shared.stream.kafka import open_producer, open_room
from shared.traces import open_traces
from shared.web import Parts, build_web, follow
from shared.web.door import open_door, plain_headers

# Kafka away is said within 2 s, twice this for who waits in the outbox; a full embedded broker is
# waited for.
ACKNOWLEDGED_S: Final = 0.9
ROOM_S: Final = 25.0
BATCHES: Final = ("/v1/responses/batch", "/v1/events")


@asynccontextmanager
async def open_service(settings: IngestSettings) -> AsyncIterator[Service]:
    """Ingest, ready to be served; closes what it opened."""
    programme = load_programme(settings.programme)
    REGISTRY.show_build(programme.digest)
    broker = broker_of(settings)
    async with AsyncExitStack() as stack:
        room = await stack.enter_async_context(open_room(broker, wait_s=ROOM_S))
        producer = await stack.enter_async_context(
            open_producer(broker, bound_s=ACKNOWLEDGED_S, room=room, metrics=PRODUCER)
        )
        client = await stack.enter_async_context(open_client())
        trigger_key = settings.trigger_key.get_secret_value()
        optouts = TriggerOptOuts(client, settings.trigger_base, trigger_key)
        # Kafka away is no fault: ingest stays ready and answers 503 itself
        topics = topics_check(broker, FLOWS["ingest"].uses, away_is_a_fault=False)
        kafka, clock = topics_check(broker, ()), AckClock()
        if not broker.embedded:  # whose acknowledgements tell no time
            producer.stamped = clock.stamped

        async def time() -> str | None:
            return clock.fault

        parts = Parts({"topics": topics}, {"kafka": kafka, "clock": time})
        traces = await stack.enter_async_context(open_traces(settings, "ingest"))
        outside = Outside(producer, optouts, clock, traces)
        web, intake = build_ingest(settings, programme, outside, parts)
        stack.push_async_callback(intake.close)
        yield Service("ingest", follow(web, traces), settings.host, settings.ingest_port)


def build_ingest(
    settings: IngestSettings,
    programme: Programme,
    outside: Outside,
    parts: Parts,
) -> tuple[HotPath, Intake]:
    """Ingest's web application on what the caller gives it."""
    tokens = settings.tokens
    keys = KeyFile(settings.keys_file, REGISTRY.keys)
    door = open_door(settings, settings.public_base, dict.fromkeys(BATCHES, BATCH_LIMIT))
    producer, clock = outside.producer, outside.clock
    intake = Intake(producer, tokens, catalogue_of(programme), clock, outside.traces)
    submissions = Submissions(intake, Gate(keys, door))
    public = urlsplit(settings.public_base)
    views = Views(programme, public_path=public.path, secure=public.scheme == "https")
    pages = build_pages(Wiring(views, intake, tokens, outside.optouts, producer, clock))
    app = build_web(
        "ingest",
        routers=[build_router(intake, producer, submissions), pages],
        parts=parts,
        registry=REGISTRY,
        keys=keys,
        door=door,
    )
    return HotPath(app, submissions, plain_headers(https=door.https)), intake


def catalogue_of(programme: Programme) -> Catalogue:
    """What the domain must know of the programme's surveys."""
    return {key: Asked(key, s.metric, s.scale) for key, s in programme.surveys.items()}
