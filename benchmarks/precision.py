"""Invitations that it takes to know every segment's score to 5 points, by several ways to sample.

    python -m benchmarks.precision [--segments 20] [--zipf 1] [--days 30] [--seed 1] [--json FILE]

Segments of very different size (Zipf), true score and response rate (10 to 30 %); answers come
hours to days late, and none after the survey expires. The least known segment has a few more
events than a flat sample of 30 % needs in that time, so that flat reaches every segment. Seeded;
the same customers answer the same, whoever asks them. Counts stand by UTC day, as in trigger's
tables, and a margin stands for an hour of events, as for a batch; the functions are trigger's own.

flat         30 % of all, to the end
flat, ended  the same, ended for all once the last segment is met, as by a watchful operator
stopped      30 %, each segment once it is met; nobody thinks of the answers that are still to come
30 %         `sample: 0.3` and `target_margin: 5`
all          `sample: 1.0` and `target_margin: 5`: more of the small, less of the large
foreknown    what each segment needs, were its true score and response rate known

met: of how many segments the margin over the whole time was within the target, and the day of
the last. held: of how many it is at the end. right: of how many the interval then holds the
true score. Trigger's own ways ask anew for what is about to leave the period, which is as long as
the whole time here: what they ask on the last days is for the days to come.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final

from benchmarks.figures import Cell, Figures, Table, parser
from benchmarks.precision_world import FLAT, POINTS, Customer, World, build_world, customers
from services.trigger.domain.facts import Margin
from services.trigger.domain.precision import Asked, Habit, Heard, Target, margin_of
from services.trigger.domain.samples import in_sample
from shared.intervals import METHODS
from shared.programme.metrics import Klass
from shared.tally import Tally

BEGAN: Final = datetime(2026, 11, 1, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)

Share = Callable[[Margin], float]
WAYS: Final[dict[str, Share]] = {
    "flat": lambda _: FLAT,
    "stopped": lambda margin: 0.0 if _is_met(margin.half_width or 100.0) else FLAT,
    "30 %": lambda margin: FLAT * margin.share,
    "all": lambda margin: margin.share,
}


@dataclass
class Book:
    """What trigger's tables hold of one segment: counts by UTC day."""

    asked: Counter[date] = field(default_factory=Counter)
    answered: Counter[date] = field(default_factory=Counter)
    late: defaultdict[date, timedelta] = field(default_factory=lambda: defaultdict(timedelta))
    said: Counter[tuple[date, Klass]] = field(default_factory=Counter)
    coming: list[tuple[datetime, datetime, Klass]] = field(default_factory=list)

    def ask(self, customer: Customer, now: datetime) -> None:
        self.asked[now.date()] += 1
        if customer.said is not None:
            heapq.heappush(self.coming, (now + customer.late, now, customer.said))

    def hear(self, now: datetime) -> None:
        while self.coming and self.coming[0][0] <= now:
            at, asked_at, klass = heapq.heappop(self.coming)
            self.answered[asked_at.date()] += 1
            self.late[asked_at.date()] += at - asked_at
            self.said[at.date(), klass] += 1

    def tried(self, target: Target, now: datetime) -> Asked:
        """Askings, as far as trigger looks back."""
        days = {day: n for day, n in self.asked.items() if day >= target.learnt(now)}
        ended = [day for day in days if day < target.recent(now)]
        late = sum((self.late[day] for day in ended), timedelta(0))
        answered = sum(self.answered[day] for day in days)
        return Asked(days, answered, sum(self.answered[day] for day in ended), late)

    def tally(self, since: date) -> Tally:
        counts: Counter[Klass] = Counter()
        for (day, klass), number in self.said.items():
            counts[klass] += number if day >= since else 0
        return Tally(counts[Klass.PROMOTER], counts[Klass.PASSIVE], counts[Klass.DETRACTOR])

    def heard(self, target: Target, now: datetime, usual: Habit) -> Heard:
        tried = self.tried(target, now)
        return Heard(self.tally(target.since(now)), tried.waiting(now, tried.habit(now, usual)))


@dataclass
class Outcome:
    """What one way to sample came to."""

    books: list[Book]
    invited: list[int] = field(default_factory=list)  # by hour, of all segments
    met: dict[str, int] = field(default_factory=dict)  # segment to hour
    held: int = 0
    right: int = 0

    @property
    def invitations(self) -> int:
        return sum(self.invited)

    @property
    def last_met(self) -> int:
        """The hour in which the last of them was met."""
        return max(self.met.values(), default=0)

    def row(self) -> Sequence[Cell]:
        return len(self.met), self.last_met / 24, self.held, self.right


def sample(world: World, share: Share) -> Outcome:
    """The whole time by one way to sample."""
    outcome = Outcome([Book() for _ in world.segments])
    lives = [customers(segment, world) for segment in world.segments]
    for hour in range(world.hours):
        now, invited = BEGAN + hour * HOUR, 0
        usual = together(outcome.books, world, now).habit(now, Habit())
        for segment, book, life in zip(world.segments, outcome.books, lives, strict=True):
            book.hear(now)
            if _is_met(_half_width(book, world)):
                outcome.met.setdefault(segment.name, hour)
            heard = book.heard(world.target, now, usual)
            asks = share(margin_of(heard, world.target.rules, world.target.points))
            for customer in next(life):
                if in_sample(customer.id, "after-delivery", asks):
                    book.ask(customer, now)
                    invited += 1
        outcome.invited.append(invited)
    _look(outcome, world)
    return outcome


def together(books: Sequence[Book], world: World, now: datetime) -> Asked:
    """The askings of all segments."""
    tried = [book.tried(world.target, now) for book in books]
    days = sum((Counter(one.days) for one in tried), Counter[date]())
    late = sum((one.late for one in tried), timedelta(0))
    return Asked(days, sum(t.answered for t in tried), sum(t.ended for t in tried), late)


def _interval(book: Book, world: World) -> tuple[float, float]:
    """Over the whole time, as scoring shows it."""
    rules = world.target.rules
    return METHODS[rules.interval](book.tally(BEGAN.date()), rules, 1.0).interval()


def _half_width(book: Book, world: World) -> float:
    low, high = _interval(book, world)
    return (high - low) / 2


def _is_met(half_width: float) -> bool:
    return half_width <= POINTS


def _look(outcome: Outcome, world: World) -> None:
    """At what is known in the end."""
    for segment, book in zip(world.segments, outcome.books, strict=True):
        outcome.held += _is_met(_half_width(book, world))
        low, high = _interval(book, world)
        outcome.right += low <= segment.score(world.target.rules) <= high


def tell(figures: Figures, found: Mapping[str, Outcome], world: World) -> None:
    """One table, of which a flat sample is the measure."""
    flat = found["flat"]
    totals = {name: outcome.invitations for name, outcome in found.items()}
    totals["flat, ended"] = sum(flat.invited[: flat.last_met + 1])
    totals["foreknown"] = round(world.foreknown)
    many = len(world.segments)
    columns = ["asked by", "invitations", "of flat", f"met, of {many}", "last met on day",
               f"held, of {many}", f"right, of {many}"]  # fmt: skip
    rows = [
        [name, total, total / totals["flat"], *(found[name].row() if name in found else [None] * 4)]
        for name, total in totals.items()
    ]
    figures.add(Table("invitations", "Invitations until every segment is known", columns, rows))


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--segments", type=int, default=20)
    made.add_argument("--zipf", type=float, default=1.0, help="0: all segments of one size")
    made.add_argument("--days", type=int, default=30)
    made.add_argument("--seed", type=int, default=1)
    told, figures = made.parse_args(), Figures("precision")
    world = build_world(told.segments, told.days, told.seed, zipf=told.zipf)
    tell(figures, {name: sample(world, share) for name, share in WAYS.items()}, world)
    figures.write(told.json)


if __name__ == "__main__":
    main()
