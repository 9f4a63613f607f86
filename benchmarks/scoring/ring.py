"""The servers, the topics of each size with their truth, and what becomes of each contender."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

import asyncpg
from sqlalchemy import make_url

from benchmarks.figures import Cell
from benchmarks.scoring.answers import made_up
from benchmarks.scoring.contenders import Contender
from benchmarks.scoring.running import Failed, KilledAt, Life, Spent, folder_of, live
from benchmarks.scoring.truth import Cells, Found, compared, true_cells
from benchmarks.servers import Servers
from shared.embedded.kraft import running_kraft
from shared.embedded.system import running
from shared.events import Topic
from shared.stream import Broker
from shared.stream.kafka import create_topics, open_producer

VALUES: Final = 12
HOURS: Final = 1
_BATCH: Final = 5_000
_KILLED: Final = 0.4  # done


@dataclass
class Told:
    """What became of one contender; `fault` where it could not run, or not again."""

    contender: Contender
    answers: int
    rates: list[float] = field(default_factory=list)
    spent: list[Spent] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    after_kill: Found | None = None
    killed_at: str = ""
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
        kill = "" if killed is None else f"{killed.text()}; at {self.killed_at}"
        if self.fault:
            kill = "see the note"
        ratio = None if not bare else rate / bare
        return (f"{one.name}: {one.does}", self.answers, rate, ratio, *each, right, kill)

    @property
    def rate(self) -> float:
        return median(self.rates)

    @property
    def right(self) -> bool:
        """Whether every result was, that after the kill too."""
        found = [*self.found, *([] if self.after_kill is None else [self.after_kill])]
        return all(one.right for one in found)


COLUMNS: Final = (
    "contender",
    "answers",
    "answers/s",
    "x bare",
    "own processor, us an answer",
    "PostgreSQL's, us",
    "Kafka's, us",
    "right result",
    "lost / doubled after one kill -9; at % of the answers",
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
        """One round, or the one with a kill. Raises Failed, also where the kill came too late."""
        name = f"bench_{told.contender.name.replace('-', '_')}_{secrets.token_hex(3)}"
        environment = asyncio.run(self._environment(name, told.answers))
        command, counts = told.contender.command(), told.contender.counts
        if kill:
            killed_at = KilledAt(_KILLED * told.answers, _KILLED * told.seconds)
            first = live(command, environment, Life(self._pids), killed_at)
            share = first.share(told.answers, told.seconds)
            told.killed_at = f"{share:.0%}{'' if first.knows else ' of its time'}"
            if not first.killed or share >= 1:
                raise Failed("all was done before the kill came: more answers make it a test")
        life = live(command, environment, Life(self._pids))
        found = None
        if counts:
            file = self._at.var / "runs" / name / "counts.json"
            if not file.exists():
                raise Failed("ended without counts.json")
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
