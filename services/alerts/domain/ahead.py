"""A copy of a line's fleet that goes ahead of it, into the minutes that are still open."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from services.alerts.domain.columns import Ints
from services.alerts.domain.detector import Detector, Judgement
from services.alerts.domain.mixes import NO_ROWS, minute_within
from services.alerts.domain.state import FleetState
from services.alerts.domain.streams import Catalogue, LeafTick

SECOND_H = 1 / 3600


@dataclass
class Ahead:
    """Judges what came since its last look, so that a fault is not thinned by a calm half minute.

    It is thrown away when a minute closes; only the alarms that it raises stand. R stays a
    supermartingale minus its clock in steps of any length, so the promise is that of the fleet.
    `now_h`: hour of event time up to which it has looked. `since`: as of which moment of the store,
    from which on only what has changed is read; None until it has looked.
    """

    detector: Detector
    fleet: FleetState
    now_h: float
    seen: dict[tuple[str, str], LeafTick] = field(default_factory=dict)
    since: str | None = None

    @classmethod
    def of(cls, detector: Detector, fleet: FleetState, now_h: float) -> "Ahead":
        """Copy both; what happens to the copy does not touch them."""
        twin = Detector.from_record(detector.to_record(), detector.policy, detector.learned.given)
        twin.clusters = detector.clusters.copy()
        return cls(twin, fleet.copy(), now_h)

    def news(self, ticks: Sequence[LeafTick]) -> list[LeafTick] | None:
        """What came since the last look; None where an amendment took something away.

        `ticks`: what leaves hold now, of all or of those that have changed.
        """
        news = []
        for tick in ticks:
            before = self.seen.get((tick.leaf, tick.cluster))
            if before is None:
                if tick.answers:  # else they went elsewhere before it was looked at
                    news.append(tick)
                continue
            answers = tick.answers - before.answers
            detractors = tick.detractors - before.detractors
            if not 0 <= detractors <= answers:
                return None
            if answers:
                news.append(tick._replace(answers=answers, detractors=detractors))
        return news

    def look(
        self,
        catalogue: Catalogue,
        ticks: Sequence[LeafTick],
        heard_h: float,
        left_out: Ints = NO_ROWS,
    ) -> tuple[Ints, Judgement] | None:
        """Judge what came up to an hour of event time; None where it came in no known stream.

        `left_out`: rows that are not judged by it.
        """
        news = self.news(ticks)
        if not news:
            return None
        self.seen |= {(tick.leaf, tick.cluster): tick for tick in ticks}
        now_h = max(heard_h, self.now_h + SECOND_H)
        weighed = self.detector.clusters.weigh(int(now_h * 60), news)
        ends = now_h, now_h - self.now_h
        index, minute = minute_within(weighed, catalogue.known_rows_of, left_out, ends)
        if not len(index):
            return None
        self.now_h = now_h
        return index, self.detector.judge(self.fleet, index, minute)
