"""What a person's browser keeps between the score and the follow-up; ingest itself keeps nothing.

A cookie of one survey's path, so that changing the score later does not lose a comment already
given. It is untrusted: what comes back goes through the same checks as any submission.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Final

import msgspec

COOKIE: Final = "earshot-answer"
LONGEST_COOKIE: Final = 3_500
KEPT_S: Final = 3_600


class Memory(msgspec.Struct, frozen=True, array_like=True):
    """An answer as far as it has been given; `done` once the follow-up was sent."""

    score: int | None = None
    done: bool = False
    reasons: tuple[str, ...] = ()
    comment: str | None = None


def write_memory(memory: Memory) -> str:
    """The cookie's value; without the comment if it would be too long for a cookie."""
    text = base64.urlsafe_b64encode(msgspec.json.encode(memory)).decode().rstrip("=")
    if len(text) <= LONGEST_COOKIE:
        return text
    return write_memory(Memory(memory.score, memory.done))


def read_memory(cookies: Mapping[str, str], points: range | tuple[int, ...]) -> Memory:
    """What the browser kept; nothing, where it kept nothing or nonsense."""
    value = cookies.get(COOKIE, "")
    if not value or len(value) > LONGEST_COOKIE:
        return Memory()
    try:
        raw = base64.urlsafe_b64decode(value.encode() + b"=" * (-len(value) % 4))
        memory = msgspec.json.decode(raw, type=Memory)
    except (binascii.Error, ValueError, RecursionError):
        return Memory()
    return memory if memory.score in points else Memory()
