"""Dead letters: a record as it was, with headers that say why it could not be processed."""

import re
from datetime import datetime
from typing import Final

from shared.errors import Refused
from shared.events import Topic
from shared.stream.records import Headers, Outgoing, Record
from shared.wire import encode_text

KEPT_BYTES: Final = 256 * 1024  # of the value
_KEPT_KEY: Final = 16 * 1024
_KEPT_HEADERS: Final = 64 * 1024
_DETAIL: Final = 500
_ID: Final = 40

REPLAY_OF: Final = "earshot-replay-of"  # the letter that was sent back, on what was sent
FAILURES: Final = "earshot-failures"
TIMESTAMP: Final = "earshot-timestamp"  # create time of the record as it first came, epoch ms
CUT: Final = {  # header, which says how many bytes it had: what was cut
    "earshot-truncated-from": "value",
    "earshot-key-truncated-from": "key",
    "earshot-headers-left-out": "headers",
}
_NUMBER: Final = re.compile(rb"[0-9]{1,18}")


def dead_letter(record: Record, why: Refused, *, service: str, now: datetime) -> Outgoing:
    """Key, value and headers as they were, plus `earshot-*` headers.

    A long value or key is cut, very long headers are left out: a letter always fits into Kafka,
    and says what it lacks. Of a replay that fails again it says how often it has failed by now.
    """
    kept, cut = _fitting(record)
    headers = [
        *kept.headers,
        ("earshot-topic", record.topic.encode()),
        ("earshot-partition", b"%d" % record.partition),
        ("earshot-offset", b"%d" % record.offset),
        ("earshot-service", service.encode()),
        ("earshot-reason", why.reason.value.encode()),
        ("earshot-detail", _text(why.detail)),
        ("earshot-failed-at", encode_text(now).encode()),
        *cut,
    ]
    if why.field:
        headers.append(("earshot-field", _text(why.field)))
    earlier = dict(record.headers)
    if replay_of := earlier.get(REPLAY_OF):
        headers.append((REPLAY_OF, replay_of[:_ID]))
    headers.append((FAILURES, b"%d" % (number_in(earlier.get(FAILURES)) + 1)))
    headers.append((TIMESTAMP, b"%d" % (number_in(earlier.get(TIMESTAMP)) or record.timestamp_ms)))
    return Outgoing(Topic.DEAD_LETTERS, kept.key, kept.value, tuple(headers))


def is_replay(record: Record) -> bool:
    """Whether an operator sent it: that it fails again says nothing about its topic."""
    return any(name == REPLAY_OF for name, _ in record.headers)


def not_ours(headers: Headers) -> Headers:
    """The headers that the record had when it first came."""
    return tuple(header for header in headers if not header[0].startswith("earshot-"))


def number_in(content: bytes | None) -> int:
    """The number that a header says; 0 where it says none."""
    return int(content) if content and _NUMBER.fullmatch(content) else 0


def _fitting(record: Record) -> tuple[Record, Headers]:
    """The record within bounds, and headers that say what was cut."""
    value, key, headers = record.value, record.key, not_ours(record.headers)
    cut: list[tuple[str, bytes | None]] = []
    if value is not None and len(value) > KEPT_BYTES:
        cut.append(("earshot-truncated-from", b"%d" % len(value)))
        value = value[:KEPT_BYTES]
    if key is not None and len(key) > _KEPT_KEY:
        cut.append(("earshot-key-truncated-from", b"%d" % len(key)))
        key = key[:_KEPT_KEY]
    size = sum(len(name) + len(content or b"") for name, content in headers)
    if size > _KEPT_HEADERS:
        cut.append(("earshot-headers-left-out", b"%d" % size))
        headers = ()
    return record._replace(key=key, value=value, headers=headers), tuple(cut)


def _text(words: str) -> bytes:
    return words[:_DETAIL].encode(errors="replace")
