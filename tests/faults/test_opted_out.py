"""G8: once an opt-out is acknowledged no message begins, whoever is stopped, woken or killed."""

import asyncio
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.faults.conftest import Say
from tests.support.askings import Crowd, emit, write_asking_programme
from tests.support.fleet import Fleet, Replica, open_fleet
from tests.support.folders import change
from tests.support.ground import Ground
from tests.support.outlets import open_outlets, until_told
from tests.support.receivers import Receiver
from tests.support.tally import connect, until_settled

WAVE = 300  # more than two senders have connections for: letters wait that are claimed
EVERYBODY = httpx.Limits(max_connections=WAVE)
ASKING = ("transaction.delivered", "transaction.refunded")
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

    async def leave(self, number: int, within_s: float = 2) -> None:
        """Ask until somebody acknowledges it, mostly while their message is on its way."""
        await asyncio.sleep(self.luck.uniform(0, within_s))
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


def write_waiting_programme(folder: Path, quiet_hours: str) -> Path:
    """Deliveries ask after 5 s, refunds not in these hours."""
    write_asking_programme(folder)
    change(folder, "triggers.yaml", "delay: 0s", "delay: 5s")
    change(folder, "surveys.yaml", "effort:\n", f"effort:\n  quiet_hours: {quiet_hours}\n")
    return folder


async def end_quiet_hours(fleet: Fleet, replicas: Sequence[Replica], awake: Path) -> None:
    """All that is theirs becomes due, as in the morning, and who sends it has just begun."""
    for replica in replicas:
        replica.kill()
    connection = await connect(fleet.database_url)
    try:
        await connection.execute("UPDATE trigger.invitations SET send_at = least(send_at, now())")
    finally:
        await connection.close()
    await asyncio.gather(*(one.start(EARSHOT_PROGRAMME=str(awake)) for one in replicas))


async def test_an_opt_out_stops_what_waits_for_its_delay_or_in_quiet_hours(
    ground: Ground, tmp_path: Path, say: Say
) -> None:
    """By `n % 4`: 1 and 2 leave around the end of the delay, 3 when the quiet hours end, 0 stay."""
    luck, numbers = Random(8), range(240)
    clock = datetime.now(ZoneInfo("Europe/Berlin"))
    around = "-".join(f"{clock + timedelta(hours=hours):%H:%M}" for hours in (-2, 2))
    asleep = write_waiting_programme(tmp_path / "asleep", around)
    awake = write_waiting_programme(tmp_path / "awake", "none")
    async with (
        open_outlets(tmp_path / "mail", smtp=False) as outlets,
        open_fleet(ground, tmp_path, asleep, **outlets.settings()) as fleet,
        httpx.AsyncClient(timeout=3, trust_env=False, limits=EVERYBODY) as http,
    ):
        receiver = outlets.receiver
        receiver.pause = lambda: luck.uniform(0, 0.4)
        replicas = await fleet.up("trigger", 2)
        leaving = Leaving(http, replicas, luck)
        crowd = Crowd(luck)
        events = [e for n in numbers for e in crowd.events(n) if e["type"] in ASKING]
        await emit(fleet, events, luck)
        await asyncio.gather(*(leaving.leave(n, 9) for n in numbers if n % 4 in {1, 2}))
        before = set(leaving.acknowledged)
        await until_settled(fleet, "trigger", "transactions")
        assert not [one for one in outlets.by_webhook() if one.survey == "effort"]
        late_leavers = asyncio.gather(*(leaving.leave(n, 4) for n in numbers if n % 4 == 3))
        await end_quiet_hours(fleet, replicas, awake)
        await late_leavers
        await until_done(fleet)

        late, asked = sent_late(receiver, leaving), outlets.by_webhook()
        spared = before - {one.customer for one in asked}
        say(
            f"{len(leaving.acknowledged)} opt-outs acknowledged while {len(events)} questions "
            f"waited: {len(spared)} customers were never asked, "
            f"{len(late)} of {len(receiver.got)} messages began afterwards"
        )
        assert late == []
        assert len(leaving.acknowledged) == len([n for n in numbers if n % 4])
        assert 0 < len(spared) < len(before)  # the race was one
        assert not [one for one in asked if one.survey == "effort" and one.customer in before]
        assert {one.customer for one in asked} >= {f"c-{n}" for n in numbers[::4]}
