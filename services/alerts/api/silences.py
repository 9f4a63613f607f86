"""Silences and maintenance windows over HTTP."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.alerts.api.asked import Known, NewSilence, read_silence
from services.alerts.api.said import Name, Said
from services.alerts.domain.audit import Entry
from services.alerts.domain.facts import Word
from services.alerts.domain.silences import Phase, Silence
from services.alerts.store.audit import note
from services.alerts.store.silences import find_silence, list_silences, put_silence
from shared.errors import Conflict, NotFound
from shared.keys import require_scope
from shared.web import decode_place, page_of
from shared.web.app import json_response
from shared.web.pages import Cursor, Limit
from shared.web.schemas import page_replies, replies


class StandingSilence(Silence, frozen=True, kw_only=True):
    """A silence, and where it stands now."""

    state: Phase


def build_silences(engine: AsyncEngine, known: Known, clock: Callable[[], datetime]) -> APIRouter:
    """Silences: make, list, end."""
    router = APIRouter(tags=["silences"])
    reading = [Depends(require_scope("alerts:read"))]
    writing = [Depends(require_scope("alerts:write"))]

    @router.post(
        "/v1/silences", summary="Tell nobody of what matches, for a while", status_code=201,
        dependencies=writing, responses=replies(StandingSilence, status=201),
    )  # fmt: skip
    async def create(new: NewSilence) -> Response:
        now = clock()
        silence = read_silence(new, known, now)
        async with engine.begin() as connection:
            await put_silence(connection, silence)
            await _enter(connection, "created", silence, new.word(now))
        return json_response(_standing(silence, now), status=201)

    @router.get(
        "/v1/silences", summary="Silences, the one that was made last first",
        dependencies=reading, responses=page_replies(StandingSilence),
    )  # fmt: skip
    async def silences(
        *,
        state: Annotated[Phase | None, Query()] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        now = clock()
        async with engine.connect() as connection:
            found = await list_silences(connection, state, now, decode_place(cursor), limit + 1)
        shown = [_standing(silence, now) for silence in found]
        return json_response(page_of(shown, limit, lambda s: (s.created_at.isoformat(), s.id)))

    @router.get(
        "/v1/silences/{silence_id}", summary="One silence",
        dependencies=reading, responses=replies(StandingSilence),
    )  # fmt: skip
    async def one(silence_id: str) -> Response:
        async with engine.begin() as connection:
            silence = _found(await find_silence(connection, silence_id))
        return json_response(_standing(silence, clock()))

    @router.delete(
        "/v1/silences/{silence_id}", summary="End a silence now; what it held back is told",
        dependencies=writing, responses=replies(StandingSilence),
    )  # fmt: skip
    async def end(
        silence_id: str,
        *,
        by: Annotated[Name, Query()] = "somebody",
        said: Annotated[str | None, Query(alias="note", max_length=2000)] = None,
    ) -> Response:
        now = clock()
        word = Said(by=by, note=said).word(now)
        async with engine.begin() as connection:
            silence = _found(await find_silence(connection, silence_id))
            if silence.phase(now) is Phase.EXPIRED:
                raise Conflict("the silence is over already")
            ended = silence.ended(word.by, now)
            await put_silence(connection, ended)
            await _enter(connection, "ended", ended, word)
        return json_response(_standing(ended, now))

    return router


def _standing(silence: Silence, now: datetime) -> StandingSilence:
    return StandingSilence(**msgspec.structs.asdict(silence), state=silence.phase(now))


def _found(silence: Silence | None) -> Silence:
    if silence is None:
        raise NotFound("there is no such silence")
    return silence


async def _enter(connection: AsyncConnection, what: str, silence: Silence, word: Word) -> None:
    kind = "maintenance" if silence.maintenance else "silence"
    shown = msgspec.to_builtins(silence)
    detail = {name: shown[name] for name in ("matchers", "from", "to")}
    entry = Entry(
        at=word.at, by=word.by, action=f"{kind}-{what}", subject=silence.id, note=word.note,
        detail=detail,
    )  # fmt: skip
    await note(connection, entry)
