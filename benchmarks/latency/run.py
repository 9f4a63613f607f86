"""A run: capacity of each path, then each load on it, then faults at each load."""

import argparse
import asyncio
from collections.abc import Mapping
from typing import Final

import numpy as np

from benchmarks.figures import Figures, Table
from benchmarks.latency.arrivals import (
    Scored,
    Shown,
    asking,
    counted,
    mailed,
    read_decided,
    read_scored,
)
from benchmarks.latency.capacity import Numbers, capacity, done, settled
from benchmarks.latency.contents import Kind
from benchmarks.latency.deployed import Deployed
from benchmarks.latency.faults import Told, go_wrong, write_history
from benchmarks.latency.hops import alert_hops, answer_hops, event_hops
from benchmarks.latency.sending import Sent
from benchmarks.latency.tables import Measured, capacity_table, latency_table

PATHS: Final = {
    Kind.EVENT: "event -> mail",
    Kind.RECORD: "record -> mail",
    Kind.ANSWER: "answer -> score",
}
FAULT: Final = "fault -> alert"
GUESS: Final = {Kind.EVENT: 300.0, Kind.RECORD: 300.0, Kind.ANSWER: 1_000.0}
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
        for table in await self.hops(scored):
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
            await settled(self.stage, kind, base + warm.accepted)
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
            await settled(self.stage, kind, base + sent.accepted)
            self.mails[kind, load] = mailed(self.stage, sent)
        else:
            async with asking(self.stage, self.shown):
                sent = await self.stage.load.run(plan)
                await settled(self.stage, kind, base + sent.accepted)
                await asyncio.sleep(1.0)
        self.sent[kind, load] = sent

    async def faults(self) -> None:
        """While answers come at each load."""
        rate, each = await self.capacity_of(Kind.ANSWER), self.asked.faults
        await write_history(self.stage, each * len(self.asked.loads))
        for turn, load in enumerate(self.asked.loads):
            plan = self.numbers.take(Kind.ANSWER, rate * load / 100, 2.0 * each + 1)
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

    async def hops(self, scored: Mapping[str, Scored]) -> list[Table]:
        """Where the time goes at the smallest load."""
        load, found = min(self.asked.loads), []
        if PATHS[Kind.ANSWER] in self.asked.paths:
            found.append(answer_hops(self.sent[Kind.ANSWER, load], scored, self.shown))
        if PATHS[Kind.EVENT] in self.asked.paths:
            decided = await read_decided(self.stage)
            sent, mails = self.sent[Kind.EVENT, load], self.mails[Kind.EVENT, load]
            found.append(event_hops(sent, decided, mails))
        if self.told and self.told[load].hops:
            found.append(alert_hops(self.told[load]))
        return found
