"""What is held at one moment. Nothing here is ever changed, so a question keeps what it saw."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from services.scoring.store.columns.book import CodeBook
from services.scoring.store.columns.entries import Entries, Stretch, join, no_entries
from services.scoring.store.columns.spans import Ints, Spans
from services.scoring.store.columns.touched import FAR


@dataclass(frozen=True, eq=False)
class Held:
    """Every entry from `start` on: those of the stretches, plus `more`, minus `less`.

    `over` are the spans that were read again since the stretches were made: `more` has all their
    entries, and `less` what the stretches have of them.
    """

    book: CodeBook
    start: int
    stretches: tuple[Stretch, ...]
    more: Entries
    less: Entries
    over: Spans

    @classmethod
    def nothing(cls, book: CodeBook) -> "Held":
        """Nothing is held yet."""
        none = no_entries(len(book.dimensions))
        return cls(book, FAR, (), none, none, Spans.of((), ()))

    @property
    def loose(self) -> int:
        """How many entries stand beside the stretches."""
        return len(self.more) + len(self.less)

    @property
    def size(self) -> int:
        return sum(len(one.entries) for one in self.stretches) + self.loose

    @property
    def bytes(self) -> int:
        return sum(one.bytes for one in self.stretches) + self.more.bytes + self.less.bytes

    @property
    def oldest(self) -> int | None:
        """The first moment of which there may be an entry; None where there is none."""
        moments = [int(one.entries.time[0]) for one in self.stretches if len(one.entries)]
        moments += [int(self.more.time.min())] if len(self.more) else []
        return min(moments, default=None)

    def between(self, start: int, end: int) -> Entries:
        """All entries of a span, in rising time."""
        parts = [self.more.part((self.more.time >= start) & (self.more.time < end))]
        for one in self.stretches:
            part = one.entries.part(one.within(start, end))
            parts.append(part.part(~self.over.hold(part.time)))
        return join(parts).sorted()

    def longer(self, start: int, entries: Entries) -> "Held":
        """The same with all that lies between `start` and what was held."""
        added = Stretch(start, self.start, entries.sorted()).pieces()
        return replace(self, start=start, stretches=(*added, *self.stretches))

    def shorter(self, at_most: int) -> "Held":
        """The same without its oldest stretches, where there are too many entries."""
        left = list(self.stretches)
        size = self.size
        while left and size > at_most:
            size -= len(left.pop(0).entries)
        if len(left) == len(self.stretches):
            return self
        start = left[0].start if left else FAR
        return replace(
            self,
            start=start,
            stretches=tuple(left),
            more=self.more.part(self.more.time >= start),
            less=self.less.part(self.less.time >= start),
            over=self.over.since(start),
        )

    def places(self, spans: Spans) -> list[tuple[Stretch, Ints]]:
        """Where the entries of these spans stand in the stretches."""
        found = []
        for stretch in self.stretches:
            time = stretch.entries.time
            low, high = np.searchsorted(time, spans.starts), np.searchsorted(time, spans.ends)
            there = np.flatnonzero(high > low)
            if len(there):
                parts = [np.arange(low[n], high[n]) for n in there]
                found.append((stretch, np.concatenate(parts)))
        return found

    def renewed(
        self, spans: Spans, places: Sequence[tuple[Stretch, Ints]], fresh: Entries
    ) -> "Held":
        """The same after these spans, whose entries stand at `places`, were read again."""
        newly = [stretch.entries.part(found) for stretch, found in places]
        less = [self.less, *(part.part(~self.over.hold(part.time)) for part in newly)]
        more = [self.more.part(~spans.hold(self.more.time)), fresh]
        return replace(self, more=join(more), less=join(less), over=self.over | spans)

    def folded(self) -> "Held":
        """The same with nothing beside the stretches."""
        stretches: list[Stretch] = []
        for one in self.stretches:
            inside = (self.more.time >= one.start) & (self.more.time < one.end)
            gone = self.over.hold(one.entries.time)
            if not inside.any() and not gone.any():
                stretches.append(one)
                continue
            entries = join([one.entries.part(~gone), self.more.part(inside)]).sorted()
            stretches += Stretch(one.start, one.end, entries).pieces()
        nothing = Held.nothing(self.book)
        return replace(nothing, start=self.start, stretches=tuple(stretches))
