"""From the outside to the outside, on the whole system: how long each thing takes under load.

    python -m benchmarks.latency [--seconds 12] [--json FILE]  # after make kafka; some 5 minutes

Four services, each a process of its own, one replica each, on a real Kafka and a real PostgreSQL
that writes through, with the default programme but quiet hours and caps. On two cores all of it
shares the machine with the load and with this program. The load comes from a further process, in
open loop: each thing has a planned instant, drawn beforehand (a Poisson process), and its time
runs from there, also while it waits for a connection. What a stall would hide from a load that
waits for replies (coordinated omission) is counted.

capacity   the greatest rate at which, for five seconds, no backlog grows: neither of what is not
           acknowledged, nor of any consumer, nor of mails to be written. Measured first, per path
load       the share of that capacity which is offered, to that path alone

event -> mail        an event by `POST /v1/events` until its mail stands in its folder
record -> mail       the same of an event that its emitter writes to Kafka itself
answer -> score      `POST /v1/responses` until the reply to a question for the score that first
                     counts it has come; somebody asks fifty times a second
fault -> alert       a slice goes wrong (75 in 100 unhappy in place of 10) while all others answer
  at once            all answers that it takes come in one batch: from its instant until the
                     webhook's receiver begins to get the alert
  one by one         they come 40 a second: from the last that the alert counted

p99 needs 100 samples, p99.9 1,000; a load that is too slow for that leaves the cell empty.
"""

import argparse
import asyncio
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import uvloop

from benchmarks.figures import Figures, Table, parser
from benchmarks.latency.arrivals import Scored, Shown, asking, counted, mailed, read_scored
from benchmarks.latency.capacity import Numbers, capacity, done, settled
from benchmarks.latency.contents import Kind, answer_id
from benchmarks.latency.deployed import Deployed, deployed
from benchmarks.latency.faults import Told, go_wrong, write_history
from benchmarks.latency.sending import Sent
from benchmarks.latency.tables import Measured, capacity_table, hops_table, latency_table
from shared.embedded.kraft import ToolMissing
from tests.support.ground import Ground, open_ground

PATHS: Final = {
    Kind.EVENT: "event -> mail",
    Kind.RECORD: "record -> mail",
    Kind.ANSWER: "answer -> score",
}
FAULT: Final = "fault -> alert"
GUESS: Final = {Kind.EVENT: 300.0, Kind.RECORD: 300.0, Kind.ANSWER: 1_000.0}
LOADS: Final = (10, 50, 80)
ENOUGH: Final = 1_100  # for p99.9
WARM_S: Final = 2.0


class Run:
    """All of a run: what was asked, what was measured."""

    def __init__(self, stage: Deployed, asked: argparse.Namespace, figures: Figures) -> None:
        self.stage = stage
        self.asked = asked
        self.figures = figures
        self.numbers = Numbers()
        self.shown = Shown()
        self.sent: dict[tuple[Kind, int], Sent] = {}
        self.mails: dict[tuple[Kind, int], np.ndarray] = {}
        self.told: dict[int, Told] = {}
        self.capacities: dict[Kind, float] = {}

    async def all(self) -> None:
        kinds = [kind for kind, name in PATHS.items() if name in self.asked.paths]
        for kind in kinds:
            await self.path(kind)
        if FAULT in self.asked.paths:
            await self.faults()
        told = {PATHS[kind]: rate for kind, rate in self.capacities.items()}
        self.figures.add(capacity_table(told))
        scored = await read_scored(self.stage)
        self.figures.add(latency_table([*self.measured(scored), *self.measured_faults()]))
        for table in self.hops(scored):
            self.figures.add(table)

    async def path(self, kind: Kind) -> None:
        """Capacity first, then each load."""
        rate = await self.capacity_of(kind)
        for load in self.asked.loads:
            await self.measure(kind, load, rate * load / 100)

    async def capacity_of(self, kind: Kind) -> float:
        if kind not in self.capacities:
            guess, hold = self.asked.guess or GUESS[kind], self.asked.hold
            base = await done(self.stage, kind)
            warm = await self.stage.load.run(self.numbers.take(kind, guess / 4, WARM_S))
            await settled(self.stage, kind, base + len(warm.planned))
            self.capacities[kind] = guess
            if hold:
                self.capacities[kind] = await capacity(
                    self.stage, self.numbers, kind, guess=guess, hold_s=hold
                )
        return self.capacities[kind]

    async def measure(self, kind: Kind, load: int, rate: float) -> None:
        seconds = max(self.asked.seconds, min(ENOUGH / rate, 2 * self.asked.seconds))
        plan, base = self.numbers.take(kind, rate, seconds), await done(self.stage, kind)
        if kind is not Kind.ANSWER:
            sent = await self.stage.load.run(plan)
            await settled(self.stage, kind, base + len(sent.planned))
            self.mails[kind, load] = mailed(self.stage, sent)
        else:
            async with asking(self.stage, self.shown):
                sent = await self.stage.load.run(plan)
                await settled(self.stage, kind, base + len(sent.planned))
                await asyncio.sleep(1.0)
        self.sent[kind, load] = sent

    async def faults(self) -> None:
        """While answers come at each load."""
        rate, each = await self.capacity_of(Kind.ANSWER), self.asked.faults
        await write_history(self.stage, each * len(self.asked.loads))
        for turn, load in enumerate(self.asked.loads):
            plan = self.numbers.take(Kind.ANSWER, rate * load / 100, 2.5 * each + 1)
            going = asyncio.create_task(self.stage.load.run(plan))
            surveys = range(turn * each, (turn + 1) * each)
            self.told[load] = await go_wrong(self.stage, surveys, going)
            self.sent.setdefault((Kind.ANSWER, load), await going)

    # ------------------------------------------------------------------ what came of it
    def measured(self, scored: Mapping[str, Scored]) -> list[Measured]:
        found = []
        for (kind, load), sent in self.sent.items():
            if PATHS[kind] not in self.asked.paths:
                continue
            out = (
                counted(sent, scored, self.shown) if kind is Kind.ANSWER else self.mails[kind, load]
            )
            seconds = out - sent.planned
            lost = int(np.isnan(seconds).sum())
            if lost:
                self.figures.note(f"{PATHS[kind]} at {load} %: {lost} never came out")
            seconds = seconds[~np.isnan(seconds)]
            found.append(Measured(PATHS[kind], f"{load} %", sent.plan.rate, seconds))
        return found

    def measured_faults(self) -> list[Measured]:
        found = []
        for name in ("at once", "one by one"):
            for load, told in self.told.items():
                seconds = np.array(told.at_once if name == "at once" else told.last)
                rate = self.sent[Kind.ANSWER, load].plan.rate
                if len(seconds):
                    found.append(Measured(f"{FAULT}, {name}", f"{load} %", rate, seconds))
        return found

    def hops(self, scored: Mapping[str, Scored]) -> list[Table]:
        found = []
        quiet = self.sent.get((Kind.ANSWER, self.asked.loads[0]))
        if quiet is not None and PATHS[Kind.ANSWER] in self.asked.paths:
            found.append(answer_hops(quiet, scored, self.shown))
        return found


def answer_hops(sent: Sent, scored: Mapping[str, Scored], shown: Shown) -> Table:
    """Where an answer's median goes when there is little else to do."""
    of = [scored[answer_id(number)] for number in sent.numbers]
    return hops_table(
        "answer_hops",
        "Where an answer's median goes at the smallest load",
        {
            "planned": sent.planned,
            "ingest has it": np.array([one.received_at.timestamp() for one in of]),
            "Kafka has it: 202": sent.acked,
            "scoring has it in a transaction": np.array([one.scored_at.timestamp() for one in of]),
            "Kafka has the scored answer": np.array([one.appended for one in of]),
            "the score that is asked for has it": counted(sent, scored, shown),
        },
    )


async def measure(ground: Ground, var: Path, asked: argparse.Namespace, figures: Figures) -> None:
    async with deployed(ground, var, surveys=asked.faults * len(asked.loads)) as stage:
        await Run(stage, asked, figures).all()


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--paths", nargs="+", default=[*PATHS.values(), FAULT], metavar="PATH")
    arguments.add_argument("--loads", type=int, nargs="+", default=LOADS, help="% of capacity")
    arguments.add_argument("--seconds", type=float, default=12.0, help="of each load, at least")
    arguments.add_argument(
        "--hold", type=float, default=5.0, help="seconds of a try for capacity; 0: it is the guess"
    )
    arguments.add_argument("--guess", type=float, help="the first try for capacity")
    arguments.add_argument("--faults", type=int, default=10, help="faults at each load")
    asked = arguments.parse_args()
    figures = Figures("latency")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what runs is ended in any case
    with tempfile.TemporaryDirectory(prefix="earshot-bench-") as folder:
        var = Path(folder)
        var.chmod(0o711)  # the embedded PostgreSQL runs as another user
        try:
            with open_ground(var / "ground") as ground:
                uvloop.run(measure(ground, var, asked, figures))
        except ToolMissing as missing:
            raise SystemExit(f"no real Kafka: {missing}") from None
    figures.write(asked.json)


if __name__ == "__main__":
    main()
