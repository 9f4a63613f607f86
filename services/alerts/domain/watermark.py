"""How far event time has come: which minutes can be judged for good.

A sequential detector needs the answers about in the order of time, and partitions are read at
different speeds. So a minute is closed once no partition that is still being read can bring
answers of it. Each line (metric and survey) has a time of its own: the import of one survey's past
does not hold another's present.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.alerts.domain.answers import Line, minute_of


@dataclass(frozen=True)
class Sight:
    """What was seen of the topic at one moment of the wall clock, `at_s` seconds of any clock.

    `ends`: where each partition ends in Kafka. `nexts`: how far each was counted. `lately`: by
    line, the newest answer in the batch that was last counted of each partition.
    """

    at_s: float
    ends: Mapping[int, int] = field(default_factory=dict)
    nexts: Mapping[int, int] = field(default_factory=dict)
    lately: Mapping[Line, Mapping[int, datetime]] = field(default_factory=dict)


@dataclass(frozen=True)
class Watermark:
    """The time before which no answer of a line is on its way.

    `at` None: there is none on its way at all. `known` False: it cannot be said yet.
    """

    at: datetime | None = None
    known: bool = True

    def closes(self, closed_to: int, last: int | None) -> int:
        """The minute up to which all is complete, where `last` is the last one with answers.

        The minute of the newest answer stays open: more of it may come.
        """
        if not self.known:
            return closed_to
        if self.at is not None:
            return max(closed_to, minute_of(self.at) - 1)
        return closed_to if last is None else max(closed_to, last - 1)


UNKNOWN = Watermark(known=False)


def watermark(sights: Sequence[Sight], settle_s: float, line: Line) -> Watermark:
    """Tell how far a line's time has come. `sights` in the order of time; the last is now.

    A partition holds it at the line's newest answer when it stands still with records that were
    there `settle_s` ago, and for as long after it last brought answers of the line: what is
    upstream of us does not arrive in order either. One that brings others' answers does not.
    """
    now = sights[-1]
    before = [sight for sight in sights if now.at_s - sight.at_s >= settle_s]
    if not before:
        return UNKNOWN
    then = before[-1]
    lately, earlier = now.lately.get(line, {}), then.lately.get(line, {})
    held: list[datetime] = []
    for number in now.ends.keys() | now.nexts.keys():
        counted = now.nexts.get(number, 0)
        stands = counted == then.nexts.get(number, 0)
        behind = stands and counted < then.ends.get(number, 0)
        if behind and number not in lately:
            return UNKNOWN
        if behind or lately.get(number) != earlier.get(number):
            held.append(lately[number])
    return Watermark(min(held) if held else None)


def forget(sights: Sequence[Sight], settle_s: float) -> list[Sight]:
    """Keep what `watermark` may still need: the last sight that is old enough, and all since."""
    old = [i for i, sight in enumerate(sights) if sights[-1].at_s - sight.at_s >= settle_s]
    return list(sights[old[-1] :]) if old else list(sights)
