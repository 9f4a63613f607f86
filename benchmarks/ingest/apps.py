"""The two yardsticks, served by the same uvicorn, uvloop and httptools as ingest.

python -m benchmarks.ingest.apps echo|plain PORT BOOTSTRAP
"""

import asyncio
import gc
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import uvicorn
import uvloop
from aiokafka import AIOKafkaProducer
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

TOPIC: Final = "survey-responses"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """ASGI without anything: the body comes back."""
    assert scope["type"] == "http"
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Given(BaseModel):
    """What the customer said."""

    model_config = ConfigDict(extra="forbid")
    score: int = Field(ge=0, le=10)
    reasons: list[str] = []
    comment: str | None = Field(None, max_length=10_000)


class Submission(BaseModel):
    """One answer as an emitter sends it."""

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
    """The reply to one answer."""

    id: str
    status: str = "accepted"


def plain(producer: AIOKafkaProducer) -> FastAPI:
    """FastAPI, pydantic's models, one awaited `send_and_wait` an answer."""
    app = FastAPI()

    async def accept(one: Submission) -> Accepted:
        await producer.send_and_wait(TOPIC, one.model_dump_json().encode(), one.id.encode())
        return Accepted(id=one.id)

    @app.post("/v1/responses", status_code=202)
    async def post(body: Submission) -> Accepted:
        return await accept(body)

    @app.post("/v1/responses/batch", status_code=207)
    async def post_batch(body: list[Submission]) -> Sequence[Accepted]:
        return await asyncio.gather(*map(accept, body))

    return app


async def serve(mode: str, port: int, bootstrap: str) -> None:
    """Serve until the process is ended."""
    app: Any = echo
    if mode == "plain":
        producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=0
        )
        await producer.start()
        app = plain(producer)
    config = uvicorn.Config(
        app, port=port, log_level="critical", access_log=False, lifespan="off", ws="none",
        loop="uvloop", http="httptools", backlog=2048, server_header=False,
        proxy_headers=False,
    )  # fmt: skip
    gc.collect()
    gc.freeze()  # as `shared.process` does
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
