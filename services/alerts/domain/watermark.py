"""How far event time has come: which minutes can be judged for good.

A sequential detector needs the answers about in the order of time, and partitions are read at
different speeds. So a minute is closed once no partition that is still being read can bring
answers of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Sight:
    """What was seen of the topic at one moment of the wall clock, `at_s` seconds of any clock.

    `ends`: where each partition ends in Kafka. `nexts`: how far each was counted. `newest`: the
    newest answer counted of each. `last`: the newest answer counted at all.
    """

    at_s: float
    ends: Mapping[int, int] = field(default_factory=dict)
    nexts: Mapping[int, int] = field(default_factory=dict)
    newest: Mapping[int, datetime] = field(default_factory=dict)
    last: datetime | None = None


def watermark(sights: Sequence[Sight], settle_s: float) -> datetime | None:
    """The time before which no answer is on its way, or None where that is not known.

    `sights` in the order of time, the last is now. A partition holds it at its newest answer while
    it has records that were there `settle_s` ago, and for as long after it last moved: what is
    upstream of us does not arrive in order either. If nothing holds it, it is the newest answer.
    """
    now = sights[-1]
    before = [sight for sight in sights if now.at_s - sight.at_s >= settle_s]
    if not before:
        return None
    then = before[-1]
    holding = [
        number
        for number in now.ends.keys() | now.nexts.keys()
        if now.nexts.get(number, 0) < then.ends.get(number, 0)
        or now.nexts.get(number, 0) != then.nexts.get(number, 0)
    ]
    if not holding:
        return now.last
    if any(number not in now.newest for number in holding):
        return None
    return min(now.newest[number] for number in holding)


def forget(sights: Sequence[Sight], settle_s: float) -> list[Sight]:
    """Keep what `watermark` may still need: the last sight that is old enough, and all since."""
    old = [i for i, sight in enumerate(sights) if sights[-1].at_s - sight.at_s >= settle_s]
    return list(sights[old[-1] :]) if old else list(sights)
