"""Dead letters: a record as it was, with headers that say why it could not be processed."""

from collections import Counter, deque
from datetime import datetime
from typing import Final

from shared.errors import Refused
from shared.events import Topic, encode_text
from shared.stream.records import Outgoing, Record

KEPT_BYTES: Final = 256 * 1024
_WINDOW: Final = 200
_DETAIL: Final = 500


def dead_letter(record: Record, why: Refused, *, service: str, now: datetime) -> Outgoing:
    """Key, value and headers as they were, plus `earshot-*` headers; a long value is cut."""
    value = record.value
    headers = [
        *((name, content) for name, content in record.headers if not name.startswith("earshot-")),
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
    return Outgoing(Topic.DEAD_LETTERS, record.key, value, tuple(headers))


class PoisonGauge:
    """More than half of the last 200 records of a topic poison: the topic is not to be drained.

    A topic that tripped stays so until a record of it is good again.
    """

    def __init__(self) -> None:
        self._last: dict[str, deque[bool]] = {}
        self._bad: Counter[str] = Counter()
        self.tripped: set[str] = set()

    def note(self, topic: str, *, poison: bool) -> None:
        last = self._last.setdefault(topic, deque(maxlen=_WINDOW))
        if topic in self.tripped and not poison:
            self.tripped.discard(topic)
            last.clear()
            self._bad[topic] = 0
        if len(last) == _WINDOW:
            self._bad[topic] -= last[0]
        last.append(poison)
        self._bad[topic] += poison
        if self._bad[topic] > _WINDOW // 2:
            self.tripped.add(topic)
