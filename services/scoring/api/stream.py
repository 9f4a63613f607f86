"""`GET /v1/stream`: scores as they change, as server-sent events.

The last event of each round has an id that says when it was and what was so then. A reader that
comes back with it as `Last-Event-ID` is told what differs since, whichever replica answers; where
late answers have changed what was so, or its connection broke within a round, it is told to
forget (`event: reset`) and then all.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

import msgspec
from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import StreamingResponse

from services.scoring.api.asked import check_survey
from services.scoring.api.live import EVERY_S, State, Topic, Topics
from services.scoring.api.parameters import Cut, MetricName, read_by
from services.scoring.api.reading import Reading
from services.scoring.api.shapes import Pulse
from services.scoring.domain.questions import Question
from services.scoring.metrics import READERS
from shared.errors import TooMany, Unavailable
from shared.keys import require_scope
from shared.web.schemas import replies

READERS_AT_MOST: Final = 100
_SILENCE_S: Final = 15.0
_BREATH: Final = 100  # events
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_YEAR: Final = 1971  # the window before it begins after 1970 too
_ID: Final = re.compile(r"([0-9]{1,16})-([0-9a-f]{16})")

Place = tuple[datetime, int]  # when, and the digest of what was so then


@dataclass
class Followed:
    """What a reader follows."""

    window: Annotated[Literal["1h", "24h", "7d", "30d"], Query()] = "24h"
    by: Annotated[str | None, Query(description="at most two dimensions")] = None


def build_stream(reading: Reading, closing: asyncio.Event) -> APIRouter:
    """The route for live scores; readers are let go when `closing` is set."""
    router = APIRouter(tags=["scores"], dependencies=[Depends(require_scope("scores:read"))])
    topics = Topics(reading)

    @router.get(
        "/v1/stream",
        summary="Scores as they change (server-sent events)",
        responses=replies(Pulse, "text/event-stream"),
    )
    async def stream(
        metric: MetricName,
        cut: Annotated[Cut, Depends()],
        followed: Annotated[Followed, Depends()],
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> StreamingResponse:
        where = cut.read_where(reading)
        question = Question(metric, cut.survey, read_by(followed.by, where, reading), where)
        if topics.readers >= READERS_AT_MOST:
            raise TooMany(f"{READERS_AT_MOST} readers are the most")
        if cut.survey is not None:
            async with reading.snapshot() as connection:
                await check_survey(connection, cut.survey, reading)

        async def body() -> AsyncIterator[bytes]:
            with topics.follow(question, followed.window) as topic, READERS.track_inprogress():
                async for text in events(topic, last_event_id, closing):
                    yield text

        return StreamingResponse(
            body(), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    return router


async def events(topic: Topic, since: str | None, closing: asyncio.Event) -> AsyncIterator[bytes]:
    """What changed since the event with this id, at once; then what changes, each second.

    `event: reset` comes before all that is so, where it is not known what the reader was told.
    While the database is away a reader stays, and hears of it when it is back.
    """
    yield b": scores as they change\n\n"
    told: int | None = None
    silent_s = 0.0
    while not closing.is_set():
        news: Sequence[Pulse] = ()
        afresh, place = False, ""
        with suppress(Unavailable):
            state = await topic.refresh()
            news, afresh = await _news(topic, state, told, since)
            told, place = state.last, _id(state)
        if afresh:
            yield b"event: reset\ndata: {}\n\n"
        for number, text in enumerate(_written(news, place), 1):
            yield text
            if not number % _BREATH:
                await asyncio.sleep(0)  # who reads fast would not let others have their turn
        silent_s = 0.0 if news else silent_s + EVERY_S
        if silent_s >= _SILENCE_S:
            silent_s = 0.0
            yield b": still here\n\n"
        await _pause(closing)


async def _news(
    topic: Topic, state: State, told: int | None, since: str | None
) -> tuple[Sequence[Pulse], bool]:
    """What the reader has not been told, and whether it has to forget what it was."""
    if told is not None:
        return state.news(told), False
    place = _place(since)
    found = None if place is None else await topic.differences(state, *place)
    return (topic.all(state), since is not None) if found is None else (found, False)


async def _pause(closing: asyncio.Event) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(closing.wait(), EVERY_S)


def _written(news: Sequence[Pulse], place: str) -> Iterator[bytes]:
    """The events of a round; until the last of them it is not told whole, which the id says."""
    for number, pulse in enumerate(news, 1):
        name = place if number == len(news) else place.partition("-")[0]
        data = msgspec.json.encode(pulse)
        yield b"event: score\nid: " + name.encode() + b"\ndata: " + data + b"\n\n"


def _id(state: State) -> str:
    """When the topic was read, and what was so then."""
    passed = (state.as_of or _EPOCH) - _EPOCH
    return f"{passed // timedelta(microseconds=1)}-{state.digest:016x}"


def _place(text: str | None) -> Place | None:
    """What an event's id says; None where it is not one of ours, or not that of a whole round."""
    found = None if text is None else _ID.fullmatch(text)
    if found is None:
        return None
    moment = _EPOCH + timedelta(microseconds=int(found[1]))
    return (moment, int(found[2], 16)) if moment.year >= _FIRST_YEAR else None
