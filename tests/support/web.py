"""A small web application on the chassis."""

from typing import Annotated

import httpx
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict

from shared.errors import FieldFault, Invalid, Unavailable
from shared.keys import KeyFile, require_scope
from shared.metrics import Registry
from shared.web import Parts, build_web
from shared.web.door import Door

JSON = {"content-type": "application/json"}


FAULT = FieldFault("answers.score", "out-of-range", "11", "a whole number from 0 to 10")


class Word(BaseModel):
    model_config = ConfigDict(extra="forbid")

    word: str


FAULTS: dict[str, Exception] = {
    "invalid": Invalid.of([FAULT]),
    "later": Unavailable("Kafka is away", retry_after_s=7),
    "database": ConnectionRefusedError(),
    "bug": ZeroDivisionError(),
}


def build(
    parts: Parts | None = None, keys: KeyFile | None = None, door: Door | None = None
) -> httpx.AsyncClient:
    router = APIRouter()

    @router.get("/v1/things")
    async def things(
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        tag: Annotated[list[str] | None, Query()] = None,
    ) -> dict[str, int]:
        return {"limit": limit, "tags": len(tag or ())}

    @router.get("/v1/closed", dependencies=[Depends(require_scope("scores:read"))])
    async def closed() -> dict[str, str]:
        return {}

    @router.get("/v1/faults/{kind}")
    async def faults(kind: str) -> None:
        raise FAULTS[kind]

    @router.post("/v1/word")
    async def word(body: Word) -> dict[str, int]:
        return {"bytes": len(body.word.encode())}

    @router.post("/v1/echo")
    async def echo(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    app = build_web(
        "test",
        routers=[router],
        parts=parts or Parts(),
        registry=Registry(),
        keys=keys or KeyFile(None),
        door=door,
    )
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://test")
