"""Acknowledged answers a second through ingest, beside a bare echo and the plain way.

    python -m benchmarks.ingest [--tables single processes batch on] [--seconds 3] [--rounds 3]
                                [--json FILE]

earshot   `python -m services.ingest`: each reply is a record that every in-sync replica has
plain     FastAPI, pydantic's models, one awaited `send_and_wait` an answer; batches gather them
echo      an ASGI function that returns its body, and stores nothing

All are served by uvicorn with uvloop and httptools; the load is wrk's, over connections that stay
open; Kafka is a real one with one broker. A wait is from the request to its whole reply. `cpu us`
is the server's own processor time an answer, which neighbours disturb least. The contenders take
turns in each round, medians are shown. After each turn the topic must have grown by what was
acknowledged at least.

Four tables: one answer a request; two processes, each with its port, half of the connections at
each; batches of 100; and what keys and traces cost (one request in a hundred is followed, to a
collector that takes everything). It takes about four minutes.
"""

import argparse
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from benchmarks.figures import Cell, Figures, Table, parser
from benchmarks.ingest.contenders import Contender, Stage, check, stage
from benchmarks.ingest.http_load import load
from benchmarks.ingest.kept import Kept
from benchmarks.servers import servers

TABLES: Final = ("single", "processes", "batch", "on")
CONNECTIONS: Final = (1, 8, 64, 256)
USUAL: Final = 64
BATCH: Final = 100
_HEAD: Final = ("answers/s", "p50 ms", "p99 ms", "cpu us an answer")


class Seen(NamedTuple):
    """One turn of one contender."""

    per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    failed: int


class Place(NamedTuple):
    """Under which load a contender stands."""

    contender: Contender
    connections: int
    batch: int = 0


def turn(place: Place, seconds: float, kept: Kept) -> Seen:
    """Measure once. Raises SystemExit where an acknowledged answer is no record."""
    contender, before = place.contender, kept.records()
    spent = -contender.cpu_s()
    got = load(contender.ports, place.connections, seconds, batch=place.batch, key=contender.key)
    spent += contender.cpu_s()
    answers = got.good * (place.batch or 1)
    if contender.name != "echo":
        kept.check(contender.name, answers, before)
    each_us = spent / max(1, answers) * 1e6
    return Seen(answers / got.seconds, got.p50_ms, got.p99_ms, each_us, got.failed)


def medians(places: Sequence[Place], told: argparse.Namespace, kept: Kept) -> Mapping[Place, Seen]:
    """Every place in each round; the median of each figure. Raises SystemExit on a refusal."""
    found: dict[int, list[Seen]] = {number: [] for number in range(len(places))}
    for _ in range(told.rounds):
        for number, place in enumerate(places):
            found[number].append(turn(place, told.seconds, kept))
    for number, seen in found.items():
        failed = sum(one.failed for one in seen)
        if failed:
            raise SystemExit(f"{places[number].contender.name}: {failed} requests failed")
    return {
        place: Seen(*(statistics.median(column) for column in zip(*found[number], strict=True)))
        for number, place in enumerate(places)
    }


def row(first: Iterable[Cell], seen: Seen) -> Sequence[Cell]:
    return [*first, round(seen.per_s), seen.p50_ms, seen.p99_ms, seen.cpu_us]


class Program:
    """The contenders, each started where a table first needs it."""

    def __init__(self, figures: Figures, set_up: Stage, told: argparse.Namespace) -> None:
        self._figures = figures
        self._stage = set_up
        self._told = told
        self._kept = set_up.kept()
        self._echo = set_up.yardstick("echo")
        self._plain = set_up.yardstick("plain")
        self._ours = set_up.ingest("earshot", processes=2)
        for contender in (self._plain, self._ours):
            self._ready(contender)

    def _ready(self, contender: Contender) -> Contender:
        check(contender)
        load(contender.ports, USUAL, 1, key=contender.key)
        return contender

    def kept(self) -> str:
        """What was looked at: that each acknowledged answer is a record."""
        return self._kept.text()

    def single(self) -> None:
        """One answer a request, one process."""
        all_three = [one.taken(1) for one in (self._ours, self._plain, self._echo)]
        found = medians(
            [Place(c, n) for n in CONNECTIONS for c in all_three], self._told, self._kept
        )
        rows = [row((place.connections, place.contender.name), s) for place, s in found.items()]
        self._figures.add(
            Table("single", "One answer a request, one process", ("connections", "", *_HEAD), rows)
        )
        usual = {p.contender.name: s.per_s for p, s in found.items() if p.connections == USUAL}
        for name, least in (("plain", 3.0), ("echo", 0.6)):
            ratio = usual["earshot"] / usual[name]
            self._figures.aim(f"answers/s beside {name}, {USUAL} connections", ratio, least)

    def processes(self) -> None:
        """One process and two."""
        both = (self._ours, self._plain, self._echo)
        found = medians(
            [Place(c.taken(n), USUAL) for n in (1, 2) for c in both], self._told, self._kept
        )
        rows = [
            row((len(place.contender.ports), place.contender.name), seen)
            for place, seen in found.items()
        ]
        title = f"One process and two, {USUAL} connections"
        self._figures.add(Table("processes", title, ("processes", "", *_HEAD), rows))

    def batch(self) -> None:
        """A hundred answers a request."""
        places = [Place(c.taken(1), 8, BATCH) for c in (self._ours, self._plain)]
        found = medians(places, self._told, self._kept)
        rows = [row((place.contender.name,), seen) for place, seen in found.items()]
        title = f"{BATCH} answers a request, 8 connections, one process; waits are a request's"
        self._figures.add(Table("batch", title, ("", *_HEAD), rows))
        ours, theirs = (found[place].per_s for place in places)
        self._figures.aim(f"answers/s beside plain, batches of {BATCH}", ours / theirs, 3.0)

    def on(self) -> None:
        """What keys and traces cost."""
        collector = f"http://127.0.0.1:{self._echo.ports[1]}"
        traced = self._stage.ingest("traces, 1 in 100", traces_url=collector, traces_share="0.01")
        contenders = [self._ours.taken(1), self._ready(self._stage.keyed("API keys"))]
        contenders.append(self._ready(traced))
        found = medians([Place(one, USUAL) for one in contenders], self._told, self._kept)
        without = found[Place(contenders[0], USUAL)].cpu_us
        rows = [
            [*row((place.contender.name,), seen), seen.cpu_us - without]
            for place, seen in found.items()
        ]
        rows[0] = ["neither", *rows[0][1:-1], None]
        title = f"What is on, {USUAL} connections, one process"
        self._figures.add(Table("on", title, ("", *_HEAD, "more cpu us"), rows))


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES)
    arguments.add_argument("--seconds", type=float, default=3, help="of each turn")
    arguments.add_argument("--rounds", type=int, default=3)
    told = arguments.parse_args()
    figures = Figures("ingest")
    with servers() as at, stage(at) as set_up:
        program = Program(figures, set_up, told)
        for name in told.tables:
            getattr(program, name)()
        figures.note(program.kept())
    figures.write(told.json)


if __name__ == "__main__":
    main()
