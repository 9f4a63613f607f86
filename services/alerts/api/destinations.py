"""Destinations over HTTP: which are told, and the way back for one that was disabled."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import structlog
from fastapi import APIRouter, Depends, Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.alerts.api.said import Said
from services.alerts.domain.audit import Entry
from services.alerts.domain.deliveries import Addressee, DeadLetter, Outcome
from services.alerts.domain.facts import Word
from services.alerts.store.audit import note
from services.alerts.store.destinations import (
    count_by_state,
    decide_dead,
    enable,
    list_dead,
    read_disabled,
)
from shared.errors import Conflict, NotFound
from shared.keys import require_scope
from shared.web import Page, decode_place, page_of
from shared.web.app import json_response
from shared.web.pages import Cursor, Limit
from shared.web.schemas import page_replies, replies

_log: Final = structlog.get_logger()


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """Whom alerts are told to. `address` without what may be secret in it.

    `waiting` counts what is to be told, `held` what a silence keeps back, `dead` what was given up.
    """

    name: str
    kind: str
    address: str
    disabled_at: datetime | None
    detail: str | None
    waiting: int
    held: int
    dead: int


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """How many dead letters were decided on."""

    letters: int


class WhichLetters(Said):
    """Who decides on what was given up: all of it, or what is about one alert."""

    alert_id: str | None = Field(None, max_length=200, pattern="^[!-~]+$")


def build_destinations(
    engine: AsyncEngine, addressees: Mapping[str, Addressee], clock: Callable[[], datetime]
) -> APIRouter:
    """The destinations of the programme."""
    router = APIRouter(tags=["destinations"])

    reading = [Depends(require_scope("alerts:read"))]
    writing = [Depends(require_scope("alerts:write"))]

    @router.get(
        "/v1/destinations", summary="Who is told of alerts, and who is not any more",
        dependencies=reading, responses=page_replies(Destination),
    )  # fmt: skip
    async def destinations() -> Response:
        async with engine.connect() as connection:
            items = await _shown(connection, [to for _, to in sorted(addressees.items())])
        return json_response(Page(items=items, next=None))

    @router.post(
        "/v1/destinations/{name}/enable",
        summary="It is mended: tell it again, what has waited at once",
        dependencies=writing, responses=replies(Destination),
    )  # fmt: skip
    async def enable_again(name: str, said: Said) -> Response:
        to, word = _known(addressees, name), said.word(clock())
        async with engine.begin() as connection:
            if not await enable(connection, to, word.at):
                raise Conflict("the destination is not disabled")
            await _enter(connection, "destination-enabled", name, word, {})
            (shown,) = await _shown(connection, [to])
        _log.info("destination enabled", destination=name, by=word.by, note=word.note)
        return json_response(shown)

    @router.get(
        "/v1/destinations/{name}/dead-letters",
        summary="What was given up, oldest first",
        dependencies=reading, responses=page_replies(DeadLetter),
    )  # fmt: skip
    async def dead_letters(name: str, *, limit: Limit = 50, cursor: Cursor = None) -> Response:
        _known(addressees, name)
        async with engine.connect() as connection:
            found = await list_dead(connection, name, decode_place(cursor), limit + 1)
        return json_response(page_of(found, limit, lambda one: (one.since.isoformat(), one.key)))

    async def decide(name: str, which: WhichLetters, state: Outcome, action: str) -> Response:
        _known(addressees, name)
        word = which.word(clock())
        async with engine.begin() as connection:
            letters = await decide_dead(connection, name, which.alert_id, state, word.at)
            detail = {"letters": letters, "alert_id": which.alert_id}
            await _enter(connection, action, name, word, detail)
        return json_response(Decided(letters=letters))

    @router.post(
        "/v1/destinations/{name}/dead-letters/retry", summary="Send what was given up once more",
        dependencies=writing, responses=replies(Decided),
    )  # fmt: skip
    async def retry(name: str, which: WhichLetters) -> Response:
        return await decide(name, which, Outcome.PENDING, "dead-letters-retried")

    @router.post(
        "/v1/destinations/{name}/dead-letters/drop", summary="Leave what was given up untold",
        dependencies=writing, responses=replies(Decided),
    )  # fmt: skip
    async def drop(name: str, which: WhichLetters) -> Response:
        return await decide(name, which, Outcome.DROPPED, "dead-letters-dropped")

    return router


def _known(addressees: Mapping[str, Addressee], name: str) -> Addressee:
    to = addressees.get(name)
    if to is None:
        raise NotFound("there is no such destination")
    return to


async def _shown(connection: AsyncConnection, addressees: Sequence[Addressee]) -> list[Destination]:
    number = await count_by_state(connection)
    shown = []
    for to in addressees:
        disabled = await read_disabled(connection, to)
        one = Destination(
            name=to.name,
            kind=to.kind,
            address=_place(to.url),
            disabled_at=disabled.at if disabled else None,
            detail=disabled.detail if disabled else None,
            waiting=number.get((to.name, Outcome.PENDING), 0),
            held=number.get((to.name, Outcome.HELD), 0),
            dead=number.get((to.name, Outcome.DEAD), 0),
        )
        shown.append(one)
    return shown


def _place(url: str) -> str:
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")


async def _enter(
    connection: AsyncConnection, action: str, name: str, word: Word, detail: dict[str, Any]
) -> None:
    entry = Entry(
        at=word.at, by=word.by, action=action, subject=name, note=word.note, detail=detail
    )
    await note(connection, entry)
