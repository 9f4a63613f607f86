"""What is followed live: one topic a question, read once a second for all who follow it.

A topic keeps each group's last change with a number, so a reader only remembers up to which
number it was told: whoever reads slowly misses changes in between, and holds up nothing. Thousands
of groups are compared in a thread.
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
READ_AT_ONCE: Final = 2  # topics; each takes one of the pool's connections, which others need too

Mark = tuple[int, float | None]  # n and score: what makes a change
_NOBODY: Final[Mark] = (0, None)


class Seen(NamedTuple):
    """When, and how far behind the consumer was then."""

    at: datetime
    behind_s: float | None


class Entry(NamedTuple):
    """The last change of a group."""

    number: int
    mark: Mark
    pulse: Pulse


@dataclass(frozen=True, eq=False)
class State:
    """The groups as they were when last read. Nothing here is ever changed."""

    as_of: datetime | None = None
    digest: int = 0  # of all groups that have answers, the same in every process
    last: int = 0  # the number of the last change
    entries: dict[Segment, Entry] = field(default_factory=dict)  # the last change last

    def news(self, told: int) -> list[Pulse]:
        """What changed after the change with this number, the oldest first."""
        newer = takewhile(lambda entry: entry.number > told, reversed(self.entries.values()))
        return [entry.pulse for entry in newer][::-1]


@dataclass
class Topic:
    """A question in a rolling window, and the state that its readers share."""

    reading: Reading
    question: Question
    window: str
    state: State = field(default_factory=State)
    readers: int = 0
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(READ_AT_ONCE))
    _read_at: float = float("-inf")
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def refresh(self) -> State:
        """Read it, unless somebody did within the last second. Raises Unavailable."""
        clock = asyncio.get_running_loop().time
        async with self._lock:
            if clock() - self._read_at >= EVERY_S * 0.9:
                now = self.reading.now()
                sheet, figures = await self._read(now)
                seen = Seen(now, self.reading.behind())
                self.state = await asyncio.to_thread(self._next, seen, sheet, figures)
                self._read_at = clock()
            return self.state

    def all(self, state: State) -> list[Pulse]:
        """Every group, but those that nobody is left in."""
        entries = state.entries.values()
        return [one.pulse for one in entries if one.mark[0] or not self.question.by]

    async def differences(self, state: State, since: datetime, digest: int) -> list[Pulse] | None:
        """What differs from what was told until then, given the digest that it had.

        None where answers that came late have changed since what was so then.
        """
        sheet, figures = await self._read(since)
        seen = Seen(state.as_of or since, self.reading.behind())

        def differing() -> list[Pulse] | None:
            marks = dict(_marks(sheet, figures))
            if _digest(marks) != digest:
                return None
            gone = [one for one, mark in marks.items() if mark[0] and one not in state.entries]
            entries = state.entries.items()
            return [
                *(self._pulse(seen, one, None, 0) for one in gone),
                *(one.pulse for key, one in entries if one.mark != marks.get(key, _NOBODY)),
            ]

        return await asyncio.to_thread(differing)

    async def _read(self, at: datetime) -> tuple[Sheet, Figures]:
        window = Window(at - NAMED[self.window], at)
        async with self.turns, self.reading.snapshot() as connection:
            sheet = await self.reading.reader.groups(connection, self.question, [window])
            widening = self.reading.widening
            effects = await widening.effects(connection, self.question, [window], sheet)
        return sheet, figures_of(sheet.tallies(0), main_scale(self.question.metric), effects[0])

    def _next(self, seen: Seen, sheet: Sheet, figures: Figures) -> State:
        """What is so now; runs in a thread."""
        entries, digest, last = dict(self.state.entries), self.state.digest, self.state.last
        places = {one: place for place, one in enumerate(sheet.segments)}
        marks = dict(_marks(sheet, figures))
        gone = [one for one, known in entries.items() if known.mark[0] and one not in marks]
        for segment, mark in [*marks.items(), *((one, _NOBODY) for one in gone)]:
            known = entries.get(segment)
            if known is not None:
                if known.mark == mark:
                    continue
                digest -= _hash(segment, entries.pop(segment).mark)
            digest += _hash(segment, mark)
            last += 1
            place = places.get(segment)
            pulse = self._pulse(seen, segment, None if place is None else figures, place or 0)
            entries[segment] = Entry(last, mark, pulse)
        return State(seen.at, digest % 2**64, last, entries)

    def _pulse(self, seen: Seen, segment: Segment, figures: Figures | None, place: int) -> Pulse:
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
            as_of=seen.at,
            behind_s=seen.behind_s,
        )


@dataclass
class Topics:
    """The topics that somebody follows."""

    reading: Reading
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(READ_AT_ONCE))
    _topics: dict[tuple[Question, str], Topic] = field(default_factory=dict)

    @property
    def readers(self) -> int:
        """How many follow anything."""
        return sum(topic.readers for topic in self._topics.values())

    @contextmanager
    def follow(self, question: Question, window: str) -> Iterator[Topic]:
        """The topic, shared; it is forgotten when nobody follows it any more."""
        key = question, window
        topic = self._topics.setdefault(
            key, Topic(self.reading, question, window, turns=self._turns)
        )
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
