"""What `benchmarks.ingest` measures: ingest itself and its three yardsticks, served alike."""

import gc
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import uvicorn
from aiokafka import AIOKafkaProducer
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from services.ingest.app import build_ingest
from services.ingest.handlers.ports import Outside
from services.ingest.settings import IngestSettings
from shared.programme.loading import load_programme
from shared.stream.kafka import open_producer
from shared.stream.records import Broker
from shared.web import Parts

ROOT: Final = Path(__file__).resolve().parents[1]
TOPIC: Final = "survey-responses"


def build_app(mode: str, producer: Any) -> Any:
    """The application of one mode; `producer` is aiokafka's for `awaited`, ours for `earshot`."""
    if mode == "asgi":
        return _asgi_echo
    if mode == "fastapi":
        return _fastapi_echo()
    return _awaited(producer) if mode == "awaited" else _earshot(producer)


async def _asgi_echo(scope: Any, receive: Any, send: Any) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _fastapi_echo() -> Any:

    app = FastAPI()

    @app.post("/v1/responses", status_code=202)
    async def echo(body: dict[str, Any]) -> dict[str, Any]:
        return body

    return app


def _awaited(producer: Any) -> Any:

    class Given(BaseModel):
        model_config = ConfigDict(extra="forbid")
        score: int = Field(ge=0, le=10)
        reasons: list[str] = []
        comment: str | None = Field(None, max_length=10_000)

    class Submission(BaseModel):
        model_config = ConfigDict(extra="forbid")
        id: str = Field(min_length=1, max_length=200)
        survey: str
        customer_id: str | None = None
        touchpoint: str | None = None
        segments: dict[str, str] = {}
        answers: Given
        language: str | None = None
        answered_at: datetime | None = None

    class Accepted(BaseModel):
        id: str
        status: str = "accepted"

    app = FastAPI()

    @app.post("/v1/responses", status_code=202)
    async def post(body: Submission) -> Accepted:
        await producer.send_and_wait(TOPIC, body.model_dump_json().encode(), body.id.encode())
        return Accepted(id=body.id)

    return app


def _earshot(producer: Any) -> Any:

    settings = IngestSettings(kafka_bootstrap="x", token_keys="k" * 32)

    class Nobody:
        async def record(self, invitation_id: str) -> bool:
            return False

    outside = Outside(producer, Nobody())
    web, _ = build_ingest(settings, load_programme(ROOT / "programme"), outside, Parts())
    return web


async def serve(mode: str, port: int, bootstrap: str) -> None:

    async def listen(producer: Any) -> None:
        app = build_app(mode, producer)
        config = uvicorn.Config(
            app, port=port, log_level="critical", access_log=False, lifespan="off", ws="none",
            loop="uvloop", http="httptools", backlog=2048, server_header=False,
        )  # fmt: skip
        gc.collect()
        gc.freeze()  # as `shared.process` does; all modes have it
        await uvicorn.Server(config).serve()

    if mode == "earshot":
        async with open_producer(Broker(bootstrap, "bench"), bound_s=1.5) as ours:
            await listen(ours)
    elif mode == "awaited":
        theirs = AIOKafkaProducer(
            bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=0
        )
        await theirs.start()
        await listen(theirs)
    else:
        await listen(None)
