"""Measure what the deployment can do, then run it at half of that while things break."""

import argparse
import asyncio
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.soak.counts import Result, look
from benchmarks.soak.emitters import Traffic, at_rate, build_traffic
from benchmarks.soak.faults import Chaos
from benchmarks.soak.health import Memory, kinds_of_errors, size_mb, trends
from benchmarks.soak.stage import Stage, open_ground_behind_a_proxy, open_stage
from tests.support.whole import until_all_settled

WARM_S, MEASURED_S = 10.0, 20.0
BACKLOG = 5_000
SETTLE_S = 300.0


@dataclass(frozen=True)
class Asked:
    """What the operator asked for."""

    minutes: float
    seed: int
    json: Path | None
    keep: bool


async def capacity(stage: Stage, traffic: Traffic) -> float:
    """Answers a second that come all the way to alerts when the emitters never wait for long.

    Closed loop: no more is sent than a few thousand ahead of what has been worked off.
    """
    settled = 0
    stop = asyncio.Event()

    def may_send(begun: int) -> bool:
        return begun - settled < BACKLOG

    sending = asyncio.create_task(traffic.run(may_send, stop))
    began, marks = time.monotonic(), []
    while time.monotonic() - began < WARM_S + MEASURED_S:
        await asyncio.sleep(0.2)
        settled = await stage.settled()
        marks.append((time.monotonic() - began, settled))
    stop.set()
    await sending
    first = next(mark for mark in marks if mark[0] >= WARM_S)
    return (marks[-1][1] - first[1]) / (marks[-1][0] - first[0])


@asynccontextmanager
async def beside(*works: Any) -> AsyncIterator[None]:
    """Coroutines that run while the block does, and are cancelled after it."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def half(
    stage: Stage, traffic: Traffic, asked: Asked, rate: float
) -> tuple[Chaos, Memory, float]:
    """Half of the capacity for so long, with faults; the middle third has an unhappy queue."""
    stop = asyncio.Event()
    chaos, memory = Chaos(stage, random.Random(asked.seed + 1)), Memory(stage)
    third = asked.minutes * 20
    async with beside(memory.run()):
        sending = asyncio.create_task(traffic.run(at_rate(rate, len(traffic.answers.flags)), stop))
        breaking = asyncio.create_task(chaos.run(stop))
        for traffic.made.bad in (False, True, False):
            await asyncio.sleep(third)
        stop.set()
        await asyncio.gather(sending, breaking)
        began = time.monotonic()
        await until_all_settled(stage.fleet, SETTLE_S)
        settled_s = time.monotonic() - began
        await asyncio.sleep(2)
    return chaos, memory, settled_s


async def soak(asked: Asked, stage: Stage) -> bool:
    traffic = build_traffic(stage.fleet.http, stage.doors, random.Random(asked.seed))
    most = await capacity(stage, traffic)
    traffic.made.past = False
    print(f"capacity: {most:,.0f} answers/s all the way to alerts", flush=True)
    chaos, memory, settled_s = await half(stage, traffic, asked, most / 2)
    result = await look(stage, traffic)
    found = {
        "capacity_per_s": round(most),
        "minutes": asked.minutes,
        "answers": traffic.answers.acked,
        "calls": traffic.calls.acked,
        "faults": chaos.counts,
        "not_mended": chaos.broken,
        "lag_worked_off_s": round(settled_s, 1),
        "refused": traffic.answers.faults + traffic.calls.faults,
        "slowest_s": round(max(traffic.answers.slowest_s, traffic.calls.slowest_s), 1),
        "memory": [asdict(trend) for trend in trends(memory)],
        "largest_mb": memory.largest(),
        "errors": dict(kinds_of_errors(stage.replicas).most_common()),
        "disk_mb": round(size_mb([stage.ground.var, stage.fleet.var])),
        "result": asdict(result),
    }
    report(found, result)
    if asked.json is not None:
        series = {f"{name} {pid}": life for (name, pid), life in memory.lives.items()}
        asked.json.write_text(json.dumps({**found, "series": series}, indent=1))
    return result.exact and not chaos.broken and all(trend.flat for trend in trends(memory))


def report(found: dict[str, Any], result: Result) -> None:
    for name in (
        "answers",
        "calls",
        "faults",
        "not_mended",
        "lag_worked_off_s",
        "refused",
        "slowest_s",
    ):
        print(f"{name}: {found[name]}")
    for trend in found["memory"]:
        print(
            "memory: {name}: {half_mb:.0f} -> {end_mb:.0f} MB, {mb_per_h:+.1f} MB/h".format(**trend)
        )
    print(f"largest, MB: { {name: round(mb) for name, mb in found['largest_mb'].items()} }")
    for kind, number in found["errors"].items():
        print(f"log: {number:6} {kind}")
    for one in (*result.services, result.mails):
        print(one)
    print(f"cells: {result.cells} counted anew, {result.cells_unlike} unlike; "
          f"{result.evidence_unlike} sums of alerts unlike their answers")  # fmt: skip
    print(f"alerts: {len(result.alerts)}: {result.alerts}")
    print(f"disk: {found['disk_mb']} MB")
    print("exact" if result.exact else "NOT EXACT")


def read_arguments() -> Asked:
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", action="store_true", help="leave the logs where they are")
    return Asked(**vars(parser.parse_args()))


def main() -> int:
    asked = read_arguments()
    var = Path(tempfile.mkdtemp(prefix="earshot-soak-"))
    var.chmod(0o755)
    work = var / "fleet"
    work.mkdir()

    async def run(ground: Any, port: int) -> bool:
        async with open_stage(ground, port, work) as stage:
            return await soak(asked, stage)

    try:
        with open_ground_behind_a_proxy(var / "ground") as (ground, port):
            return 0 if asyncio.run(run(ground, port)) else 1
    finally:
        if asked.keep:
            print(f"logs: {work}")
        else:
            shutil.rmtree(var, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
