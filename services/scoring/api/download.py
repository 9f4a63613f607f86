"""A file sent while it is made: never more of it in memory than a piece, never a silent end."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final, Self

import structlog
from fastapi.responses import StreamingResponse
from starlette.types import Send

from shared.errors import TooMany

DOWNLOADS_AT_MOST: Final = 4  # each holds one of the pool's connections, and a snapshot
PIECE: Final = 64 * 1024
STALLED_S: Final = 30.0
LONGEST_S: Final = 3600.0
_log = structlog.get_logger()


class Slots:
    """How many downloads may run at a time."""

    def __init__(self, at_most: int = DOWNLOADS_AT_MOST) -> None:
        self._free = at_most
        self._at_most = at_most

    def __enter__(self) -> Self:
        """Raise TooMany where all are taken."""
        if not self._free:
            raise TooMany(f"{self._at_most} exports run already", retry_after_s=10)
        self._free -= 1
        return self

    def __exit__(self, *_: object) -> None:
        self._free += 1


class Download(StreamingResponse):
    """The pieces of a file, each made when the one before has been sent.

    What goes wrong before the first piece is an error like any other. Later the connection is
    broken off, so that half a file never looks like a whole one; so too where the client takes
    nothing for half a minute, or the whole takes more than an hour. However it ends, the pieces'
    generator is closed.
    """

    def __init__(
        self, first: bytes, pieces: AsyncGenerator[bytes, None], headers: dict[str, str]
    ) -> None:
        super().__init__(pieces, headers=headers)
        self._first = first
        self._pieces = pieces

    @classmethod
    async def begin(cls, pieces: AsyncGenerator[bytes, None], headers: dict[str, str]) -> Self:
        """Make the first piece, and raise what it raises."""
        return cls(await anext(pieces), pieces, headers)

    async def stream_response(self, send: Send) -> None:
        try:
            async with aclosing(self._pieces), asyncio.timeout(LONGEST_S):
                await _send(
                    send,
                    type="http.response.start",
                    status=self.status_code,
                    headers=self.raw_headers,
                )
                await _send_piece(send, self._first)
                self._first = b""
                async for piece in self._pieces:
                    await _send_piece(send, piece)
                await _send(send, type="http.response.body", body=b"")
        except Exception as error:
            _log.warning("export broken off", error=type(error).__name__)
            raise


async def _send_piece(send: Send, piece: bytes) -> None:
    for start in range(0, len(piece), PIECE):
        body = piece[start : start + PIECE]
        await _send(send, type="http.response.body", body=body, more_body=True)


async def _send(send: Send, **message: object) -> None:
    async with asyncio.timeout(STALLED_S):
        await send(message)
