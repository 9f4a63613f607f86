"""Dead letters read back, sent back, and marked as sent back.

replay   the record as it was, on its own topic again; says of which letter, and how often it
has failed, so that a letter that comes of it says so too
mark     behind the letters, in their own partition: which of them were replayed; it is kept
as long as they are, for a log loses its oldest records first
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from shared.events import Topic
from shared.stream.deadletter import (
    CUT,
    FAILURES,
    REPLAY_OF,
    TIMESTAMP,
    not_ours,
    number_in,
)
from shared.stream.records import Headers, Outgoing, Record

_MARK: Final = "earshot-replayed"
_RANGES: Final = re.compile(r"[0-9]{1,18}(-[0-9]{1,18})?(,[0-9]{1,18}(-[0-9]{1,18})?)*")


class LetterId(NamedTuple):
    """Where a letter stands in `dead-letters`; written 3@17."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}@{self.offset}"


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter read back. What it does not say is empty, or 0.

    `key`, `value` and `headers` are the record's own; `cut` says which are not whole, and how many
    bytes each had.
    """

    id: LetterId
    key: bytes | None
    value: bytes | None
    headers: Headers
    topic: str
    partition: int
    offset: int
    service: str
    reason: str
    detail: str
    field: str
    failed_at: str
    failures: int
    timestamp_ms: int
    replay_of: str
    cut: tuple[tuple[str, int], ...]


def read_letter(record: Record) -> Letter:
    """Read a record of `dead-letters`, whoever wrote it."""
    said = dict(record.headers)

    def text(name: str) -> str:
        return (said.get(f"earshot-{name}") or b"").decode(errors="replace")

    return Letter(
        id=LetterId(record.partition, record.offset),
        key=record.key,
        value=record.value,
        headers=not_ours(record.headers),
        topic=text("topic"),
        partition=number_in(said.get("earshot-partition")),
        offset=number_in(said.get("earshot-offset")),
        service=text("service"),
        reason=text("reason"),
        detail=text("detail"),
        field=text("field"),
        failed_at=text("failed-at"),
        failures=number_in(said.get(FAILURES)) or 1,
        timestamp_ms=number_in(said.get(TIMESTAMP)),
        replay_of=text("replay-of"),
        cut=tuple((part, number_in(said[name])) for name, part in CUT.items() if name in said),
    )


def why_not_replayed(letter: Letter) -> str | None:
    """Say why it cannot go back to its topic, or None."""
    if letter.topic == Topic.DEAD_LETTERS or letter.topic not in set(Topic):
        return "it does not say which topic of ours it came from"
    if letter.cut:
        parts = " and ".join(part for part, _ in letter.cut)
        return f"its {parts} could not be kept whole, being too long"
    return None


def replay(letter: Letter) -> Outgoing:
    """The record as it was, on its topic, from now on: an old create time could be past retention.

    It says which letter it is a replay of.
    """
    headers = (
        *letter.headers,
        (REPLAY_OF, str(letter.id).encode()),
        (FAILURES, b"%d" % letter.failures),
        (TIMESTAMP, b"%d" % letter.timestamp_ms),
    )
    return Outgoing(letter.topic, letter.key, letter.value, headers)


def marks(replayed: Iterable[LetterId]) -> list[Outgoing]:
    """The records that say so, one a partition."""
    offsets: dict[int, list[int]] = {}
    for letter in sorted(replayed):
        offsets.setdefault(letter.partition, []).append(letter.offset)
    return [
        Outgoing(Topic.DEAD_LETTERS, None, b"", ((_MARK, _ranges(found).encode()),), partition)
        for partition, found in offsets.items()
    ]


def read_mark(record: Record) -> list[range] | None:
    """The offsets, in the record's own partition, that it says were replayed; None for a letter."""
    for name, content in record.headers:
        if name == _MARK:
            text = (content or b"").decode(errors="replace")
            return list(_spans(text)) if _RANGES.fullmatch(text) else []
    return None


def _ranges(offsets: Sequence[int]) -> str:
    spans: list[list[int]] = []
    for offset in offsets:
        if spans and offset <= spans[-1][1] + 1:
            spans[-1][1] = offset
        else:
            spans.append([offset, offset])
    return ",".join(f"{low}-{high}" if high > low else f"{low}" for low, high in spans)


def _spans(text: str) -> Iterator[range]:
    for part in text.split(","):
        low, _, high = part.partition("-")
        yield range(int(low), int(high or low) + 1)
