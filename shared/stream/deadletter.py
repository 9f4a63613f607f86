"""Dead letters: a record as it was, with headers that say why it could not be processed."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from shared.errors import Refused
from shared.events import Topic
from shared.stream.records import Outgoing, Record
from shared.wire import encode_text

KEPT_BYTES: Final = 256 * 1024  # of the value
_KEPT_KEY: Final = 16 * 1024
_KEPT_HEADERS: Final = 64 * 1024
_DETAIL: Final = 500


def dead_letter(record: Record, why: Refused, *, service: str, now: datetime) -> Outgoing:
    """Key, value and headers as they were, plus `earshot-*` headers.

    A long value or key is cut, very long headers are left out: a letter always fits into Kafka.
    """
    value, key = record.value, record.key
    headers = [
        *_kept(record.headers),
        ("earshot-topic", record.topic.encode()),
        ("earshot-partition", b"%d" % record.partition),
        ("earshot-offset", b"%d" % record.offset),
        ("earshot-service", service.encode()),
        ("earshot-reason", why.reason.value.encode()),
        ("earshot-detail", why.detail[:_DETAIL].encode(errors="replace")),
        ("earshot-failed-at", encode_text(now).encode()),
    ]
    if value is not None and len(value) > KEPT_BYTES:
        headers.append(("earshot-truncated-from", b"%d" % len(value)))
        value = value[:KEPT_BYTES]
    if key is not None:
        key = key[:_KEPT_KEY]
    return Outgoing(Topic.DEAD_LETTERS, key, value, tuple(headers))


def _kept(headers: Iterable[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    kept = [(name, content) for name, content in headers if not name.startswith("earshot-")]
    size = sum(len(name) + len(content or b"") for name, content in kept)
    return kept if size <= _KEPT_HEADERS else []
