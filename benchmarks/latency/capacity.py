"""The greatest rate at which everything keeps up: no backlog grows, of nobody."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from benchmarks.latency.contents import Kind
from benchmarks.latency.deployed import Deployed
from benchmarks.latency.sending import Plan, Sent
from tests.support.fleet import Replica

STEP: Final = 1.4
GROWTH: Final = 0.05  # of what came meanwhile
SLACK: Final = 20  # of what is under way at any moment
_STEPS: Final = 8
_SETTLED_WITHIN_S: Final = 60.0
_LAG: Final = "earshot_consumer_lag_records"


class Moment(NamedTuple):
    """What had come out at the end, and what waited for any consumer."""

    at: float
    done: int
    lag: float


@dataclass
class Numbers:
    """Each answer and each event of a run has a number of its own."""

    used: int = 0

    def take(self, kind: Kind, rate: float, seconds: float) -> Plan:
        plan = Plan(kind, rate, seconds, self.used)
        self.used += max(1, round(rate * seconds))
        return plan


async def capacity(
    stage: Deployed, numbers: Numbers, kind: Kind, *, guess: float, hold_s: float
) -> float:
    """From the guess upwards until it does not hold, then once more in the middle."""
    held, broke, rate = 0.0, 0.0, guess
    for _ in range(_STEPS):
        if await holds(stage, numbers.take(kind, rate, hold_s)):
            held = rate
        else:
            broke = rate
        if held and broke:
            break
        rate = rate / STEP if broke else rate * STEP
    if not held:
        raise SystemExit(f"not even {rate:.0f} a second hold: {kind}")
    middle: float = (held * broke) ** 0.5
    if broke and await holds(stage, numbers.take(kind, middle, hold_s)):
        return middle
    return held


async def holds(stage: Deployed, plan: Plan) -> bool:
    """Whether nothing grows from the second fifth to the end."""
    base = await done(stage, plan.kind)
    running = asyncio.create_task(stage.load.run(plan))
    moments: list[Moment] = []
    for part in (0.4, 0.6):
        await asyncio.sleep(part * plan.seconds)
        moments.append(await moment(stage, plan.kind, base))
    sent = await running
    await settled(stage, plan.kind, base + sent.accepted)
    first, last = (waiting(sent, each) for each in moments)
    came = plan.rate * (moments[1].at - moments[0].at)
    lag = moments[1].lag - moments[0].lag
    kept = not sent.refused and max(last - first, lag) <= GROWTH * came + SLACK
    print(
        f"{plan.kind} {plan.rate:.0f}/s {'holds' if kept else 'does not hold'}: of {came:.0f},"
        f" {last - first} more wait, consumers' lag {lag:+.0f}, {sent.refused} refused",
        flush=True,
    )
    return kept


def waiting(sent: Sent, moment: Moment) -> int:
    """How many were due by then and had not come out."""
    return int(np.searchsorted(sent.planned, moment.at)) - moment.done


async def moment(stage: Deployed, kind: Kind, base: int) -> Moment:
    lags = await asyncio.gather(*(one.metric(_LAG) for one in consumers(stage)))
    return Moment(time.time(), await done(stage, kind) - base, sum(lags))


def consumers(stage: Deployed) -> list[Replica]:
    return [one for name, one in stage.replicas.items() if name != "ingest"]


async def done(stage: Deployed, kind: Kind) -> int:
    """How many answers have been counted by scoring and by alerts; how many mails there are."""
    if kind is not Kind.ANSWER:
        return stage.mailed()
    return min(
        await stage.place("scoring", "survey-responses"),
        await stage.place("alerts", "scored-responses"),
    )


async def settled(stage: Deployed, kind: Kind, number: int) -> None:
    """Return once so many have come out and nothing waits for anybody."""
    async with asyncio.timeout(_SETTLED_WITHIN_S):
        while True:
            now = await moment(stage, kind, 0)
            if now.done >= number and not now.lag:
                return
            await asyncio.sleep(0.1)
