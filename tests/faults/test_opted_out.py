"""G8: once an opt-out is acknowledged no message begins, whoever is stopped, woken or killed."""

import asyncio
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx
import pytest

from tests.faults.conftest import Say
from tests.support.askings import Crowd, emit, write_asking_programme
from tests.support.fleet import Fleet, Replica, open_fleet
from tests.support.ground import Ground
from tests.support.outlets import open_outlets, until_told
from tests.support.receivers import Receiver
from tests.support.tally import until_settled

WAVE = 300  # more than two senders have connections for: letters wait that are claimed
EVERYBODY = httpx.Limits(max_connections=WAVE)
STOPPED_S = 5.0  # longer than a sender has for its letters
SIZES = [
    pytest.param(600, 2, id="short", marks=pytest.mark.timeout(300)),
    pytest.param(6_000, 20, id="long", marks=[pytest.mark.slow, pytest.mark.timeout(600)]),
]


@dataclass
class Leaving:
    """Customers who opt out at any moment, and when that was acknowledged by the loop's clock."""

    http: httpx.AsyncClient
    replicas: Sequence[Replica]
    luck: Random
    acknowledged: dict[str, float] = field(default_factory=dict)
    replies: Counter[str] = field(default_factory=Counter)

    async def leave(self, number: int) -> None:
        """Ask until somebody acknowledges it, mostly while their message is on its way."""
        await asyncio.sleep(self.luck.uniform(0, 2))
        while True:
            replica = self.luck.choice(self.replicas)
            body = {"customer_id": f"c-{number}"}
            try:
                reply = await self.http.post(f"{replica.url}/v1/suppressions", json=body)
            except httpx.HTTPError as error:
                self.replies[type(error).__name__] += 1
            else:
                self.replies[str(reply.status_code)] += 1
                if reply.status_code == httpx.codes.OK:
                    self.acknowledged[f"c-{number}"] = asyncio.get_running_loop().time()
                    return
            await asyncio.sleep(0.05)


async def disturb(replicas: Sequence[Replica], luck: Random, times: int) -> None:
    """Stop one of them for longer than its letters are its own, or kill it, so many times."""
    for turn in range(times):
        await asyncio.sleep(luck.uniform(0.2, 1.0))
        victim = luck.choice(replicas)
        if turn % 2:
            victim.kill()
            await victim.start()
            continue
        victim.signal(signal.SIGSTOP)
        await asyncio.sleep(STOPPED_S)
        victim.signal(signal.SIGCONT)
        await victim.until_ready()


def sent_late(receiver: Receiver, leaving: Leaving) -> list[str]:
    """Whose message began after they were told that none would."""
    began = zip((body["data"]["customer"]["id"] for body in receiver.bodies()), receiver.began,
                strict=True)  # fmt: skip
    return [who for who, at in began if at > leaving.acknowledged.get(who, at)]


async def until_done(fleet: Fleet) -> None:
    await until_settled(fleet, "trigger", "transactions")
    await until_told(fleet)


@pytest.mark.parametrize(("customers", "blows"), SIZES)
async def test_no_message_begins_after_an_opt_out_was_acknowledged(
    ground: Ground, tmp_path: Path, say: Say, customers: int, blows: int
) -> None:
    """Every second customer leaves while deliveries ask them, and then refunds would."""
    luck, numbers = Random(customers), range(customers)
    crowd, programme = Crowd(luck), write_asking_programme(tmp_path / "programme")
    events = {kind: [e for n in numbers for e in crowd.events(n) if e["type"] == kind]
              for kind in ("transaction.delivered", "transaction.refunded")}  # fmt: skip
    async with (
        open_outlets(tmp_path / "mail", smtp=False) as outlets,
        open_fleet(ground, tmp_path, programme, **outlets.settings()) as fleet,
        httpx.AsyncClient(timeout=3, trust_env=False, limits=EVERYBODY) as http,
    ):
        receiver = outlets.receiver
        receiver.pause = lambda: luck.uniform(0, 0.4)
        replicas = await fleet.up("trigger", 2)
        leaving = Leaving(http, replicas, luck)
        disturbing = asyncio.create_task(disturb(replicas, luck, blows))
        for first in range(0, customers, WAVE):
            await emit(fleet, events["transaction.delivered"][first : first + WAVE], luck)
            await asyncio.gather(*map(leaving.leave, range(first + 1, first + WAVE, 2)))
        await disturbing
        await emit(fleet, events["transaction.refunded"], luck)
        await until_done(fleet)

        late = sent_late(receiver, leaving)
        asked = Counter(body["data"]["customer"]["id"] for body in receiver.bodies())
        say(
            f"{len(leaving.acknowledged)} opt-outs acknowledged, of {dict(leaving.replies)}; "
            f"{len(asked.keys() & leaving.acknowledged)} of them had been asked; "
            f"{len(late)} of {len(receiver.got)} messages began afterwards"
        )
        assert late == []
        assert len(leaving.acknowledged) == customers // 2
        assert asked.keys() & leaving.acknowledged  # the race was one
        assert asked.keys() >= {f"c-{number}" for number in numbers[::2]}
