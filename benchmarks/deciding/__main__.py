"""Events per second through trigger's decisions, beside a loop that only fetches and decodes.

    python -m benchmarks.deciding [--events 30000 20000 8000] [--rounds 3] [--json FILE]

Real PostgreSQL (fsync on) and a real Kafka into which another process has written the events; every
poll is one transaction that moves its offsets. None, one in ten or each of the events meets its
rule. Caps on the customer, the survey, the channel and the agent, quiet hours, consent, a sample, a
target margin, a delay, settling, cancelling and an experiment are all on. In each round, for each
of the three shares, the same events are taken

* fetched and decoded: nothing is done with them
* decided: fetched, decoded, kept, decided, told to `survey-decisions`, acknowledged, committed;
  what waits for its delay or to settle is decided beside it. The clock stops when all are taken,
  and what then still waits is decided with the clock on whenever something is due.

Figures are medians of the rounds; µs are of a processor, for one event. At last 5,000 customers
with a past, each with an event that matches, are decided on in one transaction without Kafka.
About three minutes and a half.
"""

import asyncio
import multiprocessing
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from statistics import median
from typing import Any

import uvloop
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.deciding.drains import TOPICS, build_deciding, until_decided
from benchmarks.deciding.events import CHANNELS, Kind, past, strict_programme, welcome
from benchmarks.deciding.feeding import feed
from benchmarks.draining import Taken, joined, keep_places, measured, until_decoded
from benchmarks.figures import Figures, Table, parser
from benchmarks.servers import Servers, servers
from benchmarks.spent import Meter
from services.trigger.handlers import Desk, on_batch
from services.trigger.store.ledger import SqlLedger
from shared.db import open_engine
from shared.events import SurveyDecision
from shared.stream.kafka import open_producer

CAPPED = 5_000
SHARES = (0.0, 0.1, 1.0)


class Rounds:
    """Rounds of the two loops over events of three shares."""

    def __init__(self, where: Servers, engine: AsyncEngine) -> None:
        self._where, self._engine, self._meter = where, engine, Meter(where.var)
        self._programme = strict_programme()
        self._numbers = count()

    async def take(self, share: float, events: int) -> tuple[Taken, Taken]:
        """The same new events, fetched and decoded, then decided."""
        numbers = range(first := next(self._numbers) * 10 * events, first + events)
        kind = Kind(share, max(1, events // 2), f"/bench/{share:.0%}")
        await self._feed(kind, numbers)
        broker, engine = self._where.broker, self._engine
        async with open_producer(broker) as producer:
            deciding = build_deciding(engine, producer, self._programme)
            decoders = deciding.pipeline.decode
            async with joined(broker, engine, "bench-bare", TOPICS) as source:
                fetched = await measured(
                    self._meter, events, lambda: until_decoded(source, decoders, events)
                )
                await keep_places(source)
            async with joined(broker, engine, "bench-trigger", TOPICS) as source:
                decided = await measured(
                    self._meter, events, lambda: until_decided(source, deciding, events)
                )
        return fetched, decided

    async def _feed(self, kind: Kind, numbers: range) -> None:
        context = multiprocessing.get_context("spawn")
        feeder = context.Process(target=feed, args=(self._where.broker, kind, numbers))
        feeder.start()
        await asyncio.to_thread(feeder.join)
        if feeder.exitcode:
            raise SystemExit("the events could not be written")

    async def capped(self) -> Taken:
        """Decide on customers who have a past, in one transaction."""

        async def publish(decisions: Sequence[SurveyDecision]) -> None: ...

        async def decide(arrivals: Sequence[Any]) -> float:
            async with self._engine.begin() as connection:
                desk = Desk(self._programme, CHANNELS, datetime.now(UTC))
                await on_batch(arrivals, [], SqlLedger(connection), publish, desk)
            return 0.0

        for number in range(3):
            await decide(past(number, CAPPED, datetime.now(UTC)))
        arrivals = welcome(CAPPED, datetime.now(UTC))
        return await measured(self._meter, CAPPED, lambda: decide(arrivals))


async def run(where: Servers, events: Sequence[int], rounds: int, figures: Figures) -> None:
    async with open_engine(where.database_url, schema="trigger") as engine:
        all_rounds = Rounds(where, engine)
        found = defaultdict[float, list[tuple[Taken, Taken]]](list)
        for number in range(rounds):
            for share, many in zip(SHARES, events, strict=True):
                if not many:
                    continue
                bare, decided = await all_rounds.take(share, many)
                found[share].append((bare, decided))
                print(f"{number} {share:4.0%} {bare}\n       {decided}", flush=True)
        figures.add(rates(found))
        figures.add(costs(found))
        figures.add(await reasons(engine))
        capped = await all_rounds.capped()
    head = ("", "events/s", "this process, µs", "PostgreSQL, µs")
    row = ("each with three askings before", capped.per_s, capped.own_us, capped.postgres_us)
    figures.add(Table("capped", "5,000 customers with a past, in one transaction", head, [row]))


def rates(found: dict[float, list[tuple[Taken, Taken]]]) -> Table:
    rows = []
    for share, pairs in found.items():
        ratio = median(decided.per_s / bare.per_s for bare, decided in pairs)
        fetched = median(bare.per_s for bare, _ in pairs)
        rows.append((f"{share:.0%}", fetched, median(d.per_s for _, d in pairs), ratio))
    head = ("events that match", "fetched and decoded, events/s", "decided, events/s", "ratio")
    return Table("rates", "Events per second of one process", head, rows)


def costs(found: dict[float, list[tuple[Taken, Taken]]]) -> Table:
    rows = []
    for share, pairs in found.items():
        bare = median(bare.own_us for bare, _ in pairs)
        own = median(decided.own_us for _, decided in pairs)
        postgres = median(decided.postgres_us for _, decided in pairs)
        rows.append((f"{share:.0%}", bare, own, postgres, (own + postgres) / bare))
    head = (
        "events that match",
        "fetched and decoded, µs",
        "decided: the process, µs",
        "PostgreSQL, µs",
        "ratio",
    )
    return Table("costs", "Processor time of one event", head, rows)


async def reasons(engine: AsyncEngine) -> Table:
    """What became of the events, so that nobody believes that they were turned away at the door."""
    query = text(
        "SELECT decided, source, 100.0 * count(*) / sum(count(*)) OVER (PARTITION BY source)"
        " FROM decisions GROUP BY 1, 2"
    )
    shares = [f"{share:.0%}" for share in SHARES]
    async with engine.connect() as connection:
        found = {(row[0], row[1]): float(row[2]) for row in await connection.execute(query)}
    names = sorted({reason for reason, _ in found})
    rows = [(name, *(found.get((name, f"/bench/{share}")) for share in shares)) for name in names]
    return Table("reasons", "Decisions by reason, %", ("reason", *shares), rows)


def main() -> None:
    told = parser(__doc__)
    told.add_argument(
        "--events",
        type=int,
        nargs=3,
        default=(30_000, 20_000, 8_000),
        help="of each share; 0 leaves one out",
    )
    told.add_argument("--rounds", type=int, default=3)
    arguments = told.parse_args()
    figures = Figures("deciding")
    with servers("trigger") as where:
        uvloop.run(run(where, arguments.events, arguments.rounds, figures))
    figures.write(arguments.json)


if __name__ == "__main__":
    main()
