"""What alerts' one process takes of a minute for counting and judging, and so how much it can do.

    python -m benchmarks.judging [--stores 44 1046] [--rate 2000] [--minutes 3] [--json FILE]

Real PostgreSQL (fsync on), the consumer that counts and the judge of the service. For each size of
fleet, in a process and a database of its own:

* minutes: both, one after the other, where the service has them beside each other. Records lie in
  memory. Time is made up: what counting and a turn of the judge took, and the judge's rest between
  two turns, is how much event time passes, and so many answers wait for the next round. A process
  that cannot keep up shows a round that grows and grows; one that can has a share of time left.
  Counting is decoded, recorded, summed by minute and leaf, committed; closing is closed minutes
  read, judged and stored for good; looking is open minutes read and looked at for alarms, at each
  turn. The first minutes, in which streams begin, are left out. Every stream has answers every
  minute: no fleet of that size costs more.
* counting: answers that another process has written to a real Kafka, fetched and decoded, then
  counted, in alternating rounds; medians.

The capacity is the rate of counting in the share of time that judging leaves. Four minutes.
"""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from statistics import median

from benchmarks.figures import Cell, Figures, Table, parser
from benchmarks.judging.fleets import Asked, Taken, run
from benchmarks.servers import servers

STORES = (44, 1_046)  # 1,030 and 20,068 streams


def minutes_of(found: Sequence[Taken], rate: float) -> Table:
    """A minute by its parts, in seconds of the clock and of this process alone."""
    rows: list[Sequence[Cell]] = []
    for name in sorted({name for taken in found for name in taken.judged.seconds}):
        cells = [(t.judged.seconds.get(name), t.judged.own_seconds.get(name)) for t in found]
        rows.append((name, *(cell for pair in cells for cell in pair)))
    sizes = [f"{taken.streams:,} streams" for taken in found]
    columns = [name for size in sizes for name in (f"{size}: s", "but for PostgreSQL, s")]
    title = f"Seconds that a minute with {rate:,.0f} answers/s takes of the process"
    return Table("minutes", title, ("part", *columns), rows)


def judge_of(found: Sequence[Taken]) -> Table:
    rows: list[Sequence[Cell]] = [
        (f"{t.streams:,}", t.judged.turns, t.judged.lost_turns, t.judged.longest_round,
         100 * t.judged.busy, t.judged.rss_a_stream / 1000)
        for t in found
    ]  # fmt: skip
    head = ("streams", "turns a minute", "turns lost", "longest round, s", "busy, %",
            "kB of RSS a stream")  # fmt: skip
    return Table("judge", "The judge in such a minute", head, rows)


def capacity_of(found: Sequence[Taken]) -> Table:
    rows: list[Sequence[Cell]] = []
    for taken in found:
        rates = [median(pair[place].per_s for pair in taken.rounds) for place in (0, 1)]
        costs = [median(pair[place].own_us for pair in taken.rounds) for place in (0, 1)]
        postgres = median(counted.postgres_us for _, counted in taken.rounds)
        ratio = median(counted.per_s / bare.per_s for bare, counted in taken.rounds)
        rows.append((f"{taken.streams:,}", *rates, ratio, *costs, postgres, taken.per_s))
    head = (
        "streams",
        "fetched and decoded, answers/s",
        "counted, answers/s",
        "ratio",
        "fetched and decoded, µs",
        "counted: the process, µs",
        "PostgreSQL, µs",
        "counted and judged, answers/s",
    )
    title = "Counting on a real Kafka; µs of a processor for one answer; the capacity"
    return Table("capacity", title, head, rows)


def main() -> None:
    reading = parser(__doc__)
    reading.add_argument("--stores", type=int, nargs="+", default=STORES, help="19 streams each")
    reading.add_argument("--rate", type=float, default=2_000, help="answers a second of event time")
    reading.add_argument("--minutes", type=float, default=3, help="of event time that are measured")
    reading.add_argument("--answers", type=int, default=40_000, help="that each round counts")
    reading.add_argument("--rounds", type=int, default=3, help="of counting")
    told = reading.parse_args()
    asked = Asked(rate=told.rate, minutes=told.minutes, answers=told.answers, rounds=told.rounds)
    figures, found = Figures("judging"), []
    for stores in told.stores:  # a process each, for its memory; nothing of another's is stored
        with servers("alerts") as where, ProcessPoolExecutor(1, get_context("spawn")) as pool:
            found.append(pool.submit(run, where, stores, asked).result())
    figures.add(minutes_of(found, told.rate))
    figures.add(judge_of(found))
    figures.add(capacity_of(found))
    figures.write(told.json)


if __name__ == "__main__":
    main()
