"""What a person's browser keeps between the score and the follow-up; ingest itself keeps nothing.

A cookie of one survey's path, so that changing the score later does not lose a comment already
given. It is untrusted: what comes back goes through the same checks as any submission.
"""

import base64
import binascii
import zlib
from collections.abc import Mapping
from typing import Final

import msgspec

COOKIE: Final = "earshot-answer"
LONGEST_COOKIE: Final = 3_500
MOST_BYTES: Final = 64 * 1024
KEPT_S: Final = 3_600


class Memory(msgspec.Struct, frozen=True, array_like=True):
    """An answer as far as it has been given; `done` once the follow-up was sent."""

    score: int | None = None
    done: bool = False
    reasons: tuple[str, ...] = ()
    comment: str | None = None


def write_memory(memory: Memory) -> str:
    """The cookie's value; without reasons and comment if it would be too long for a cookie.

    Packed, for a letter of Korean or Thai takes three bytes.
    """
    packed = zlib.compress(msgspec.json.encode(memory))
    text = base64.urlsafe_b64encode(packed).decode().rstrip("=")
    if len(text) <= LONGEST_COOKIE:
        return text
    return write_memory(Memory(memory.score, memory.done))


def read_memory(cookies: Mapping[str, str], points: range | tuple[int, ...]) -> Memory:
    """What the browser kept; nothing, where it kept nothing or nonsense."""
    value = cookies.get(COOKIE, "")
    if not value or len(value) > LONGEST_COOKIE:
        return Memory()
    try:
        packed = base64.urlsafe_b64decode(value.encode() + b"=" * (-len(value) % 4))
        raw = zlib.decompressobj().decompress(packed, MOST_BYTES)
        memory = msgspec.json.decode(raw, type=Memory)
    except (binascii.Error, zlib.error, ValueError, RecursionError):
        return Memory()
    return memory if memory.score in points else Memory()
