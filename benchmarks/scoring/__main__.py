"""Answers per second exactly once, beside the peers, on one Kafka and one PostgreSQL in one run.

    python -m benchmarks.scoring [--only NAME ...] [--share 1] [--rounds 2] [--no-kill]
                                 [--json FILE]

Everybody counts the same answers in 19 cells each: all, eight dimensions, ten pairs of them.

bare      our consumer and decoder alone, counting nothing
scoring   Earshot's loop: answers and counts into PostgreSQL, what was scored back to Kafka
plain     FastStream and SQLAlchemy into PostgreSQL, one answer a transaction
quix      Quix Streams, exactly-once, into its RocksDB store and a changelog on Kafka
faust     Faust-streaming into its tables and their changelogs on Kafka
streams   Kafka Streams, exactly_once_v2, into its RocksDB stores and their changelogs

Each is one process of its own, under the contract of `benchmarks.scoring.contenders`; its rate is
from its first record to its last commit. Processor time is of the same span: its own process's,
PostgreSQL's and Kafka's. In rounds, one after the other; medians. Then each is killed with SIGKILL
once, at 40 %, and started again: what it lost and what it counted twice is told.

`--share` takes that share of each one's answers (0.05 for a look). The whole takes 6 minutes.
"""

import asyncio
import secrets
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import asyncpg
from sqlalchemy import make_url

from benchmarks.figures import Cell, Figures, Table, parser
from benchmarks.scoring.answers import made_up
from benchmarks.scoring.contenders import Contender, Missing
from benchmarks.scoring.lineup import LINEUP
from benchmarks.scoring.running import Failed, KilledAt, Life, Spent, folder_of, live
from benchmarks.scoring.truth import Cells, Found, compared, true_cells
from benchmarks.servers import Servers, servers
from shared.embedded.kraft import running_kraft
from shared.embedded.system import running
from shared.events import Topic
from shared.stream import Broker
from shared.stream.kafka import create_topics, open_producer

VALUES, HOURS = 12, 1
_BATCH = 5_000
AIMS = (("bare", 0.25), ("plain", 5.0), ("quix", 1.0), ("faust", 1.0))


@dataclass
class Told:
    """What became of one contender; `fault` where it could not run."""

    contender: Contender
    answers: int
    rates: list[float] = field(default_factory=list)
    spent: list[Spent] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    after_kill: Found | None = None
    seconds: float = 0.0
    fault: str = ""

    def row(self, bare: float) -> Sequence[Cell]:
        one, rate = self.contender, self.rate
        each = [
            median(getattr(spent, whose) for spent in self.spent) / self.answers * 1e6
            for whose in ("own", "postgres", "kafka")
        ]
        right = "" if not one.counts else "yes" if all(f.right for f in self.found) else "no"
        killed = self.after_kill
        kill = "" if killed is None else f"{killed.lost:,} / {killed.doubled:,}"
        ratio = None if not bare else rate / bare
        return (f"{one.name}: {one.does}", self.answers, rate, ratio, *each, right, kill)

    @property
    def rate(self) -> float:
        return median(self.rates)


COLUMNS = (
    "contender",
    "answers",
    "answers/s",
    "x bare",
    "own processor, us an answer",
    "PostgreSQL's, us",
    "Kafka's, us",
    "right result",
    "lost / doubled after one kill -9",
)


class Ring:
    """The servers, and the topics of each size with their truth."""

    def __init__(self, at: Servers) -> None:
        self._at = at
        self._truths: dict[int, Cells] = {}
        postgres, kafka = running(at.var), running_kraft(at.var)
        if postgres is None or kafka is None:
            raise SystemExit("a server has ended")
        self._pids = postgres.postgres_pid, kafka.nodes[0].pid

    async def fill(self, size: int) -> None:
        """Make the topic of that many answers, and know what must be counted."""
        if size in self._truths:
            return
        broker = Broker(self._at.broker.bootstrap, self._at.broker.log, prefix=f"{size}.")
        await create_topics(broker.bootstrap, prefix=broker.prefix, replication=1)
        records = made_up(size, VALUES, HOURS)
        async with open_producer(broker) as producer:
            for first in range(0, size, _BATCH):
                await producer.send(records[first : first + _BATCH])
        self._truths[size] = true_cells(records)

    def run(self, told: Told, *, kill: bool = False) -> None:
        """One round, or the one with a kill."""
        name = f"bench_{told.contender.name}_{secrets.token_hex(3)}"
        environment = asyncio.run(self._environment(name, told.answers))
        command, counts = told.contender.command(), told.contender.counts
        if kill:
            killed_at = KilledAt(0.4 * told.answers, 0.4 * told.seconds)
            live(command, environment, Life(self._pids), killed_at)
        life = live(command, environment, Life(self._pids))
        found = None
        if counts:
            file = self._at.var / "runs" / name / "counts.json"
            found = compared(self._truths[told.answers], file)
        if kill:
            told.after_kill = found
            return
        told.found += [found] if found is not None else []
        told.seconds = life.seconds
        told.rates.append(told.answers / life.seconds)
        told.spent.append(life.spent())

    async def _environment(self, name: str, size: int) -> Mapping[str, str]:
        url = make_url(self._at.database_url).set(drivername="postgresql")
        text = url.render_as_string(hide_password=False)
        connection = await asyncpg.connect(text)
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()
        return {
            "BOOTSTRAP": self._at.broker.bootstrap,
            "TOPIC": f"{size}.{Topic.SURVEY_RESPONSES}",
            "DATABASE_URL": url.set(database=name).render_as_string(hide_password=False),
            "FOLDER": str(folder_of(self._at.var, name)),
            "GROUP": name,
        }


def all_rounds(ring: Ring, field_of: Sequence[Told], rounds: int, *, kill: bool) -> None:
    """Everybody in turn, as often as asked; then the kills. A fault is told, not raised."""
    for turn in range(rounds + kill):
        for told in field_of:
            if told.fault or (turn == rounds and not told.contender.counts):
                continue
            try:
                ring.run(told, kill=turn == rounds)
            except (Missing, Failed) as fault:
                told.fault = f"{told.contender.name}: {fault}"
            print(
                f"  {told.contender.name}: {told.fault or f'{told.rates[-1]:,.0f}/s'}", flush=True
            )


def shown(figures: Figures, field_of: Sequence[Told]) -> None:
    """The table, the aims, and why some are not in it."""
    ran = {told.contender.name: told for told in field_of if told.rates}
    bare = ran["bare"].rate if "bare" in ran else 0.0
    rows = [told.row(bare) for told in ran.values()]
    figures.add(Table("peers", "Answers exactly once, beside the peers", COLUMNS, rows))
    for name, least in AIMS:
        if name in ran and "scoring" in ran:
            figures.aim(f"scoring to {name}", ran["scoring"].rate / ran[name].rate, least)
    for told in field_of:
        if told.fault:
            figures.note(told.fault)


def arguments() -> Namespace:
    made = parser(__doc__)
    made.add_argument("--only", nargs="+", choices=[one.name for one in LINEUP])
    made.add_argument("--share", type=float, default=1.0, help="of each one's answers")
    made.add_argument("--rounds", type=int, default=2)
    made.add_argument("--no-kill", action="store_true")
    return made.parse_args()


def main() -> None:
    asked, figures = arguments(), Figures("scoring")
    field_of = [
        Told(one, max(200, int(one.answers * asked.share)))
        for one in LINEUP
        if not asked.only or one.name in asked.only
    ]
    with servers() as at:
        ring = Ring(at)
        for told in field_of:
            asyncio.run(ring.fill(told.answers))
        all_rounds(ring, field_of, asked.rounds, kill=not asked.no_kill)
    shown(figures, field_of)
    figures.write(asked.json)


if __name__ == "__main__":
    main()
