"""Earshot in two minutes: four weeks of history, then a shop and a contact centre live.

About 50 answers a second; a few calls a second are asked by mail and answered through the link.
After half a minute one region's one product goes wrong; the demo shows how long the alert takes,
and leaves the system running.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from rich.console import Console, Group
from rich.live import Live
from rich.progress import track
from rich.table import Table
from rich.text import Text

from services.commands.client import Client, Unreachable
from services.commands.made_up import FAULT, SURVEYS, Company
from services.commands.system import open_system
from shared.launch import KAFKA, is_set

_DAYS: Final = 28
_A_DAY: Final = 700
_RATE: Final = 50
_CALM_S: Final = 30.0
_PATIENCE_S: Final = 300.0
_AFTERWARDS_S: Final = 15.0
_BATCH: Final = 1_000


@dataclass
class Stage:
    """What the screen shows."""

    started: float = field(default_factory=time.monotonic)
    answers: int = 0
    asked: int = 0
    answered: int = 0
    fault_at: float | None = None
    alert: dict[str, Any] | None = None
    alert_seen_at: float = 0.0
    groups: list[dict[str, Any]] = field(default_factory=list)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m services demo", description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--stop", action="store_true", help="end the system when the demo ends")
    asked = parser.parse_args(arguments)
    try:
        return asyncio.run(_demo(Company(asked.seed), keep=not asked.stop))
    except Unreachable as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        return 130


async def _demo(company: Company, *, keep: bool) -> int:
    if is_set(KAFKA):
        raise Unreachable(
            f"{KAFKA} names a Kafka of yours: the demo makes up answers and closes its own old "
            "alerts, so it plays on the embedded default alone"
        )
    console = Console()
    async with open_system(programme=None, dimensions=(), keep=keep) as client:
        await _import(company, client, console)
        stage = Stage()
        await _live(company, client, stage, console)
        _goodbye(client, stage, console)
    return 0 if stage.alert else 1


async def _import(company: Company, client: Client, console: Console) -> None:
    end = datetime.now(UTC) - timedelta(minutes=2)
    bodies = list(company.history(end, days=_DAYS, a_day=_A_DAY))
    starts = range(0, len(bodies), _BATCH)
    for start in track(starts, "four weeks of history", console=console):
        refused = await client.send("responses", bodies[start : start + _BATCH])
        if refused:
            raise Unreachable(f"ingest refused history: {refused[0]['error']['detail']}")
    console.print(f"{len(bodies)} answers imported; waiting until they are scored and judged …")
    await client.settled()
    for alert in await client.alerts():
        if alert["state"] in ("open", "acknowledged") and alert["survey"] in SURVEYS:
            await client.resolve(alert["id"], by="demo", note="left over from before this demo")


async def _live(company: Company, client: Client, stage: Stage, console: Console) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_answers(company, client, stage)),
            group.create_task(_calls(company, client, stage)),
            group.create_task(_watch(client, stage)),
        ]
        with Live(console=console, refresh_per_second=2, transient=False) as live:
            await _conduct(company, stage, live)
        for task in tasks:
            task.cancel()


async def _conduct(company: Company, stage: Stage, live: Live) -> None:
    """Begin the fault, wait for the alert, show it for a while."""
    ends_at = stage.started + _CALM_S + _PATIENCE_S
    while time.monotonic() < ends_at:
        if stage.fault_at is None and time.monotonic() - stage.started > _CALM_S:
            company.faulty, stage.fault_at = True, time.monotonic()
        if stage.alert is not None:
            ends_at = min(ends_at, stage.alert_seen_at + _AFTERWARDS_S)
        live.update(_screen(stage))
        await asyncio.sleep(0.5)


async def _answers(company: Company, client: Client, stage: Stage) -> None:
    pause = 0.2
    while True:
        turn = time.monotonic()
        bodies = [company.answer() for _ in range(int(_RATE * pause))]
        await client.send("responses", bodies)
        stage.answers += len(bodies)
        await asyncio.sleep(max(0.0, pause - (time.monotonic() - turn)))


async def _calls(company: Company, client: Client, stage: Stage) -> None:
    """Two calls a second end; each customer is asked by mail and answers through the link."""
    while True:
        event = company.call_ended(datetime.now(UTC))
        await client.send("events", [event])
        stage.asked += 1
        await asyncio.sleep(0.5)
        token = await client.survey_token(event["data"]["customer"]["id"])
        if token is not None:
            stage.answered += await client.answer(token, company.call_score())


async def _watch(client: Client, stage: Stage) -> None:
    """Read the scores and the alerts, as an operator would."""
    while True:
        found = await client.scores(metric="nps", window="24h", by="region,product")
        stage.groups = sorted(found["groups"], key=lambda group: group["score"])[:12]
        if stage.alert is None and stage.fault_at is not None:
            live = [a for a in await client.alerts() if a["state"] == "open" and not a["historic"]]
            if live:
                stage.alert = live[-1]
                stage.alert_seen_at = time.monotonic()
        await asyncio.sleep(0.5)


def _screen(stage: Stage) -> Group:
    table = Table(title="NPS of the last 24 h, 95 % interval")
    for name in ("region", "product", "n", "NPS", "interval"):
        table.add_column(name, justify="left" if name in FAULT else "right")
    for group in stage.groups:
        low, high = group["interval"]
        table.add_row(
            group["segment"]["region"], group["segment"]["product"], str(group["n"]),
            f"{group['score']:.1f}", f"{low:.1f} … {high:.1f}",
            style="bold red" if group["segment"] == FAULT and stage.fault_at else None,
        )  # fmt: skip
    seconds = time.monotonic() - stage.started
    head = Text(
        f"{seconds:.0f} s live: {stage.answers} answers, {stage.asked} calls ended, "
        f"{stage.answered} of them answered through the mailed link"
    )
    return Group(head, table, _news(stage))


def _news(stage: Stage) -> Text:
    where = " × ".join(FAULT.values())
    if stage.alert is not None and stage.fault_at is not None:
        seconds = stage.alert_seen_at - stage.fault_at
        rate = stage.alert["detractor_rate"]
        named = " × ".join(stage.alert["segment"].values()) or "everywhere"
        return Text(
            f"ALERT {seconds:.0f} s after the fault began: {named}, detractors "
            f"{rate['baseline']:.0%} -> {rate['current']:.0%}, n {stage.alert['n']}",
            style="bold red",
        )
    if stage.fault_at is not None:
        since = time.monotonic() - stage.fault_at
        return Text(f"{where} went wrong {since:.0f} s ago; no alert yet", style="yellow")
    return Text(f"all is well; {where} will go wrong {_CALM_S:.0f} s after the start")


def _goodbye(client: Client, stage: Stage, console: Console) -> None:
    if stage.alert is None:
        console.print(f"no alert within {_PATIENCE_S:.0f} s: that is a fault of ours")
    console.print("\nLook around:")
    for service, path in (
        ("scoring", "/v1/scores?metric=nps&window=24h&by=region,product"),
        ("alerts", "/v1/alerts"),
        ("trigger", "/v1/decisions"),
        ("ingest", "/docs"),
        ("scoring", "/metrics"),
    ):
        console.print(f"  {client.url(service)}{path}", soft_wrap=True)
