"""What is followed live: one topic a question, read once a second for all who follow it.

A topic keeps each group's last change with a number, so a reader only remembers up to which
number it was told: whoever reads slowly misses changes in between, and holds up nothing.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from itertools import takewhile
from typing import Final, NamedTuple

from services.scoring.api.paging import main_scale, named
from services.scoring.api.reading import Reading
from services.scoring.api.shapes import Pulse
from services.scoring.api.told import interval_of, number
from services.scoring.domain.questions import Question, Segment
from services.scoring.domain.scores import Figures, figures_of
from services.scoring.domain.sheets import Sheet
from services.scoring.domain.windows import NAMED, Window

EVERY_S: Final = 1.0

Mark = tuple[int, float | None]  # n and score: what makes a change
_NOBODY: Final[Mark] = (0, None)


class Entry(NamedTuple):
    """The last change of a group."""

    number: int
    mark: Mark
    pulse: Pulse


@dataclass
class Topic:
    """The groups of a question in a rolling window, as they were when last read."""

    reading: Reading
    question: Question
    window: str
    as_of: datetime | None = None
    digest: int = 0  # of all groups that have answers, the same in every process
    last: int = 0  # the number of the last change
    readers: int = 0
    _entries: dict[Segment, Entry] = field(default_factory=dict)  # the last change last
    _read_at: float = float("-inf")
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def refresh(self) -> None:
        """Read it, unless somebody did within the last second. Raises Unavailable."""
        clock = asyncio.get_running_loop().time
        async with self._lock:
            if clock() - self._read_at < EVERY_S * 0.9:
                return
            now = self.reading.now()
            sheet, figures = await self._read(now)
            self._update(now, sheet, figures)
            self._read_at = clock()

    def news(self, told: int) -> list[Pulse]:
        """What changed after the change with this number, the oldest first."""
        newer = takewhile(lambda entry: entry.number > told, reversed(self._entries.values()))
        return [entry.pulse for entry in newer][::-1]

    def all(self) -> list[Pulse]:
        """Every group, but those that nobody is left in."""
        entries = self._entries.values()
        return [one.pulse for one in entries if one.mark[0] or not self.question.by]

    async def differences(self, since: datetime, digest: int) -> list[Pulse] | None:
        """What differs from what was told until then, given the digest that it had.

        None where answers that came late have changed since what was so then.
        """
        sheet, figures = await self._read(since)
        marks = dict(_marks(sheet, figures))
        if _digest(marks) != digest:
            return None
        gone = [key for key, mark in marks.items() if mark[0] and key not in self._entries]
        entries = self._entries.items()
        return [
            *(self._pulse(self.as_of or since, key, None, 0) for key in gone),
            *(one.pulse for key, one in entries if one.mark != marks.get(key, _NOBODY)),
        ]

    async def _read(self, at: datetime) -> tuple[Sheet, Figures]:
        window = Window(at - NAMED[self.window], at)
        async with self.reading.snapshot() as connection:
            sheet = await self.reading.reader.groups(connection, self.question, [window])
            widening = self.reading.widening
            effects = await widening.effects(connection, self.question, [window], sheet)
        return sheet, figures_of(sheet.tallies(0), main_scale(self.question.metric), effects[0])

    def _update(self, now: datetime, sheet: Sheet, figures: Figures) -> None:
        self.as_of = now
        seen: set[Segment] = set()
        for place, (segment, mark) in enumerate(_marks(sheet, figures)):
            seen.add(segment)
            known = self._entries.get(segment)
            if known is None or known.mark != mark:
                self._change(segment, mark, self._pulse(now, segment, figures, place))
        gone = [one for one, known in self._entries.items() if known.mark[0] and one not in seen]
        for segment in gone:
            self._change(segment, _NOBODY, self._pulse(now, segment, None, 0))

    def _change(self, segment: Segment, mark: Mark, pulse: Pulse) -> None:
        known = self._entries.pop(segment, None)
        if known is not None:
            self.digest -= _hash(segment, known.mark)
        self.digest = (self.digest + _hash(segment, mark)) % 2**64
        self.last += 1
        self._entries[segment] = Entry(self.last, mark, pulse)

    def _pulse(self, now: datetime, segment: Segment, figures: Figures | None, place: int) -> Pulse:
        n = 0 if figures is None else int(figures.n[place])
        return Pulse(
            metric=self.question.metric,
            survey=self.question.survey,
            window=self.window,
            segment=named(self.question, segment),
            n=n,
            score=None if figures is None else number(figures.score[place]),
            interval=None if figures is None else interval_of(figures, place),
            sufficient=n >= self.reading.sufficient,
            as_of=now,
        )


@dataclass
class Topics:
    """The topics that somebody follows."""

    reading: Reading
    _topics: dict[tuple[Question, str], Topic] = field(default_factory=dict)

    @property
    def readers(self) -> int:
        """How many follow anything."""
        return sum(topic.readers for topic in self._topics.values())

    @contextmanager
    def follow(self, question: Question, window: str) -> Iterator[Topic]:
        """The topic, shared; it is forgotten when nobody follows it any more."""
        key = question, window
        topic = self._topics.setdefault(key, Topic(self.reading, question, window))
        topic.readers += 1
        try:
            yield topic
        finally:
            topic.readers -= 1
            if not topic.readers:
                del self._topics[key]


def _marks(sheet: Sheet, figures: Figures) -> Iterable[tuple[Segment, Mark]]:
    pairs = zip(figures.n.tolist(), figures.score.tolist(), strict=True)
    marks = ((n, score if n else None) for n, score in pairs)
    return zip(sheet.segments, marks, strict=True)


def _digest(marks: Mapping[Segment, Mark]) -> int:
    return sum(_hash(segment, mark) for segment, mark in marks.items()) % 2**64


def _hash(segment: Segment, mark: Mark) -> int:
    if not mark[0]:
        return 0
    text = "\0".join((*segment, str(mark[0]), repr(mark[1])))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())
