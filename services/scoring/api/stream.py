"""`GET /v1/stream`: scores as they change, as server-sent events.

Each event's id is the `as_of` of its score, so a reader that comes back with `Last-Event-ID` is
told what differs from what it saw then, whichever replica answers.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

import msgspec
from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import StreamingResponse

from services.scoring.api.paging import main_scale, named
from services.scoring.api.parameters import Cut, MetricName, read_by
from services.scoring.api.reading import Reading
from services.scoring.api.shapes import Pulse
from services.scoring.domain.questions import Group, Question, Segment
from services.scoring.domain.scores import score_of
from services.scoring.domain.windows import NAMED, Window
from services.scoring.metrics import READERS
from shared.errors import TooMany, Unavailable
from shared.keys import require_scope

READERS_AT_MOST: Final = 100
_GROUPS_AT_MOST: Final = 500
_EVERY_S: Final = 1.0
_SILENCE_S: Final = 15.0

Heard = dict[Segment, tuple[int, float | None]]


@dataclass
class Followed:
    """What a reader follows."""

    window: Annotated[Literal["1h", "24h", "7d", "30d"], Query()] = "24h"
    by: Annotated[str | None, Query(description="at most two dimensions")] = None


def build_stream(reading: Reading, closing: asyncio.Event) -> APIRouter:
    """The route for live scores; readers are let go when `closing` is set."""
    router = APIRouter(tags=["scores"], dependencies=[Depends(require_scope("scores:read"))])
    readers: set[object] = set()

    @router.get("/v1/stream", summary="Scores as they change (server-sent events)")
    async def stream(
        metric: MetricName,
        cut: Annotated[Cut, Depends()],
        followed: Annotated[Followed, Depends()],
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> StreamingResponse:
        where = cut.read_where(reading)
        question = Question(metric, cut.survey, read_by(followed.by, where, reading), where)
        if len(readers) >= READERS_AT_MOST:
            raise TooMany(f"{READERS_AT_MOST} readers are the most")
        live = _Live(reading, question, followed.window, closing)

        async def body() -> AsyncIterator[bytes]:
            readers.add(live)
            READERS.inc()
            try:
                async for text in live.events(_moment(last_event_id)):
                    yield text
            finally:
                readers.discard(live)
                READERS.dec()

        return StreamingResponse(
            body(), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    return router


class _Live:
    def __init__(
        self, reading: Reading, question: Question, window: str, closing: asyncio.Event
    ) -> None:
        self._reading = reading
        self._question = question
        self._window = window
        self._closing = closing
        self._metric = main_scale(question.metric)

    async def events(self, since: datetime | None) -> AsyncIterator[bytes]:
        """What changed since then, at once; then what changes, each second."""
        heard: Heard = {}
        if since is not None:
            heard = {key: _heard(pulse) for key, pulse in (await self._pulses(since)).items()}
        silent_s = 0.0
        yield b": scores as they change\n\n"
        while not self._closing.is_set():
            now = self._reading.now()
            pulses = await self._try(now, heard)
            news = [key for key, pulse in pulses.items() if heard.get(key) != _heard(pulse)]
            for key in news[:_GROUPS_AT_MOST]:
                heard[key] = _heard(pulses[key])
                yield _event(now, pulses[key])
            silent_s = 0.0 if news else silent_s + _EVERY_S
            if silent_s >= _SILENCE_S:
                silent_s = 0.0
                yield b": still here\n\n"
            await self._pause()

    async def _try(self, now: datetime, heard: Heard) -> dict[Segment, Pulse]:
        """Every group that has answers, and those heard of that have none any more."""
        try:
            pulses = await self._pulses(now)
        except Unavailable:
            return {}  # the reader stays, and hears of it when the database is back
        gone = {key: self._pulse(key, Group(), now) for key in heard.keys() - pulses.keys()}
        return pulses | gone

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._closing.wait(), _EVERY_S)
        except TimeoutError:
            return

    async def _pulses(self, now: datetime) -> dict[Segment, Pulse]:
        window = Window(now - NAMED[self._window], now)
        async with self._reading.snapshot() as connection:
            sheet = await self._reading.reader.groups(connection, self._question, [window])
        return {
            segment: self._pulse(segment, sheet.group(0, place), now)
            for place, segment in enumerate(sheet.segments)
        }

    def _pulse(self, segment: Segment, group: Group, now: datetime) -> Pulse:
        score = score_of(group.tally, self._metric, sufficient=self._reading.sufficient)
        return Pulse(
            metric=self._question.metric,
            survey=self._question.survey,
            window=self._window,
            segment=named(self._question, segment),
            n=group.tally.n,
            score=score.score,
            interval=score.interval,
            as_of=now,
        )


def _heard(pulse: Pulse) -> tuple[int, float | None]:
    return pulse.n, pulse.score


def _event(now: datetime, pulse: Pulse) -> bytes:
    number = str(int(now.timestamp() * 1_000_000)).encode()
    return b"event: score\nid: " + number + b"\ndata: " + msgspec.json.encode(pulse) + b"\n\n"


def _moment(text: str | None) -> datetime | None:
    """The moment that an event's id names; None where it is not one of ours."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 17:
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(text))
