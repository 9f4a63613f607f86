"""Replies against what `/openapi.json` says of them."""

from functools import cache
from typing import Any

import httpx
from fastapi import FastAPI
from jsonschema import Draft202012Validator


def check_reply(client: httpx.AsyncClient, reply: httpx.Response) -> None:
    """Fail where a 200 is not as the route's schema says, or the route has none."""
    transport = client._transport  # noqa: SLF001 - the only way to the application
    assert isinstance(transport, httpx.ASGITransport)
    app: Any = transport.app
    validator = _validator(_Once(app), reply.request.url.path)
    faults = [
        f"{fault.json_path}: {fault.message}" for fault in validator.iter_errors(reply.json())
    ]
    assert not faults, faults[:5]


class _Once:
    """An application; its schemas are those of all that are built alike."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Once) and self.app.title == other.app.title

    def __hash__(self) -> int:
        return hash(self.app.title)


@cache
def _validator(once: _Once, path: str) -> Draft202012Validator:
    ok = once.app.openapi()["paths"][path]["get"]["responses"]["200"]
    schema = ok["content"]["application/json"]["schema"]
    assert schema, f"{path} does not say what it replies"
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)
