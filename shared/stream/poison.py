"""Topics of which most records are poison: paused, and one record a minute is tried.

A topic that tripped stays so until a record of it is settled well again. Dead letters would else
drain a topic whose emitter, or whose reader, has a fault in every record.
"""

import time
from collections import defaultdict, deque
from collections.abc import Iterable
from itertools import repeat
from typing import Final

import structlog

from shared.metrics import Gauge
from shared.stream.pipeline import Health, Source
from shared.stream.records import Record

_log = structlog.get_logger()
WINDOW: Final = 200
TRICKLE_S: Final = 60.0


def _window() -> deque[bool]:
    return deque(maxlen=WINDOW)


class PoisonGauge:
    """More than half of the last 200 records of a topic were poison: the topic is tripped.

    What decoders refuse and what stood alone in the end are counted in two windows, because the
    second is known a batch later.
    """

    def __init__(self) -> None:
        self._decoded: defaultdict[str, deque[bool]] = defaultdict(_window)
        self._handled: defaultdict[str, deque[bool]] = defaultdict(_window)
        self.tripped: set[str] = set()

    def decoded(self, topic: str, *, poison: bool) -> None:
        self._note(topic, self._decoded[topic], poison=poison)

    def buried(self, topic: str) -> None:
        """A record that its decoder took became a dead letter."""
        self._note(topic, self._handled[topic], poison=True)

    def handled(self, records: Iterable[Record]) -> None:
        """These were settled well."""
        counts: defaultdict[str, int] = defaultdict(int)
        for record in records:
            counts[record.topic] += 1
        for topic, number in counts.items():
            self._handled[topic].extend(repeat(False, min(number, WINDOW)))

    def clear(self, topic: str) -> None:
        self.tripped.discard(topic)
        self._decoded[topic].clear()
        self._handled[topic].clear()

    def _note(self, topic: str, last: deque[bool], *, poison: bool) -> None:
        last.append(poison)
        if poison and sum(last) > WINDOW // 2:
            self.tripped.add(topic)


class Quarantine:
    """Pauses what the gauge says, shows it, and lets one record a minute through."""

    def __init__(self, gauge: PoisonGauge, source: Source, health: Health, paused: Gauge) -> None:
        self._gauge = gauge
        self._source = source
        self._health = health
        self._paused = paused
        self._due_at: dict[str, float] = {}

    def hold(self) -> None:
        """Bring the source in line with the gauge."""
        now, held = time.monotonic(), self._health.paused
        for topic in held - self._gauge.tripped:
            _log.info("topic resumed", topic=topic)
            self._source.resume_topic(topic)
            self._paused.labels(topic).set(0)
        for topic in self._gauge.tripped - held:
            _log.error("topic paused: most of its last 200 records are poison", topic=topic)
            self._due_at[topic] = now + TRICKLE_S
            self._paused.labels(topic).set(1)
        self._health.paused = set(self._gauge.tripped)
        for topic in self._health.paused:
            if now >= self._due_at[topic]:
                self._source.resume_topic(topic)
            else:
                self._source.pause_topic(topic)

    def due(self) -> set[str]:
        """Paused topics of which one record may be tried now."""
        now = time.monotonic()
        return {topic for topic in self._health.paused if now >= self._due_at[topic]}

    def tried(self, topics: Iterable[str]) -> None:
        """One record of each was: their next minute begins."""
        self._due_at |= dict.fromkeys(topics, time.monotonic() + TRICKLE_S)
