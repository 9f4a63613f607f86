"""G9: every change of an alert is told at least once, under one id, whatever the receivers do."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from random import Random

import httpx
import pytest

from shared.failpoints import Point
from tests.faults.conftest import Say
from tests.support.alertmanager import open_real
from tests.support.fleet import Replica, open_fleet
from tests.support.ground import Ground
from tests.support.lives import Lives
from tests.support.proxy import Proxy, open_proxy
from tests.support.receivers import HANG, RESET, Receiver, open_receiver
from tests.support.rung import (
    SECRET,
    Change,
    decide,
    published,
    ring,
    told,
    until_firing,
    until_open,
    until_told,
    write_ringing_programme,
)

POINTS = (Point.CLAIMED, Point.SENT, Point.MARKED, Point.OUTBOX_PRODUCED)
BAD = (500, 503, 429, 404, 401, 301, 307, HANG, RESET)
MOODS = (*BAD, 204, *(200 for _ in BAD))
LINES = 3
LATEST_S = 330.0  # what was refused ten times in a row waits for five minutes
SETTINGS = {
    "EARSHOT_ALERTS_WEBHOOK_SECRET": SECRET,
    "EARSHOT_ALERTS_URL": "https://alerts.example",
    "EARSHOT_SEND_WITHIN": "2s",
    "EARSHOT_KAFKA_SESSION": "2s",
}
SIZES = [
    pytest.param(2, id="short", marks=pytest.mark.timeout(450)),
    pytest.param(30, id="long", marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
]


async def disturb(proxy: Proxy, luck: Random, stop: asyncio.Event) -> None:
    """Cut and black-hole the way to Alertmanager."""
    while not stop.is_set():
        with luck.choice((proxy.cut, proxy.hole))():
            await asyncio.sleep(luck.uniform(0.2, 2.5))
        await asyncio.sleep(luck.uniform(1.0, 3.0))


async def decide_on(
    replicas: Sequence[Replica], alerts: Sequence[str], luck: Random, going: Callable[[], bool]
) -> set[Change]:
    """Somebody acknowledges something for as long as it goes on; what was confirmed."""
    confirmed: set[Change] = set()
    while going():
        order, note = luck.sample(list(replicas), len(replicas)), f"note {len(confirmed)}"
        done = await decide(order, luck.choice(alerts), "acknowledge", note)
        confirmed |= {done} if done else set()
        await asyncio.sleep(0.2)
    return confirmed


def check(receiver: Receiver, expected: set[Change]) -> int:
    """Nothing is missing, nothing else came, repetitions are equal; return how many there were."""
    found = told(receiver)
    assert expected - found.keys() == set()
    assert found.keys() - expected == set()
    assert {change for change, each in found.items() if any(b != each[0] for b in each)} == set()
    assert {path for path, _, _ in receiver.got} == {"/hook"}  # no redirect was followed
    return sum(len(each) - 1 for each in found.values())


@pytest.mark.tools
@pytest.mark.parametrize("lives", SIZES)
async def test_every_change_is_told_whoever_dies_and_however_receivers_answer(
    ground: Ground, tmp_path: Path, say: Say, lives: int
) -> None:
    luck = Random(lives)
    async with (
        open_receiver() as receiver,
        open_real(tmp_path) as manager,
        open_proxy(manager.base_url.port or 0) as proxy,
    ):
        programme = write_ringing_programme(
            tmp_path / "programme", hook=f"{receiver.url}/hook", ops=f"http://{proxy.address}"
        )
        async with open_fleet(ground, tmp_path, programme, **SETTINGS) as fleet:
            await ring(fleet, LINES, datetime.now(UTC))
            replicas = await fleet.up("alerts", 2)
            alerts = await until_open(replicas[0], LINES)
            moods, calm = cycle(luck.sample(MOODS, len(MOODS))), asyncio.Event()
            receiver.mood = lambda: next(moods)
            dying = Lives(luck, POINTS, longest_s=3.0, passes=2)
            async with asyncio.TaskGroup() as group:
                leading = group.create_task(dying.lead(replicas, lives))
                group.create_task(disturb(proxy, luck, calm))

                def going(dying: asyncio.Task[None] = leading) -> bool:
                    return not dying.done() or not set(BAD) <= set(receiver.answers)

                confirmed = await decide_on(replicas, alerts, luck, going)
                calm.set()
            receiver.mood = lambda: 200
            await until_told(fleet, LATEST_S)

            expected = await published(fleet)
            shown = await until_firing(manager, set(alerts))
            refused = Counter(status for status in receiver.answers if not 200 <= status < 300)
            found = told(receiver)
            say(
                f"{len(expected)} changes of {len(alerts)} alerts, {dying}, receiver refused "
                f"{refused.total()} times: {len(expected - found.keys())} missing, "
                f"{sum(len(each) - 1 for each in found.values())} told again under the same id; "
                f"Alertmanager, cut {proxy.cuts} times, shows {shown.total()} alerts"
            )
            check(receiver, expected)
            assert confirmed <= expected
            assert shown == Counter(alerts)
            assert set(BAD) <= set(refused)

            for alert in alerts:
                await decide(replicas, alert, "resolve", "over")
            assert await until_firing(manager, set()) == Counter()


async def test_a_410_silences_a_destination_until_a_person_enables_it_again(
    ground: Ground, tmp_path: Path, say: Say
) -> None:
    async with open_receiver() as receiver:
        programme = write_ringing_programme(tmp_path / "programme", hook=f"{receiver.url}/hook")
        async with open_fleet(ground, tmp_path, programme, **SETTINGS) as fleet:
            await ring(fleet, 1, datetime.now(UTC))
            replicas = await fleet.up("alerts", 2)
            (alert,) = await until_open(replicas[0], 1)
            await until_told(fleet)
            receiver.mood = lambda: 410
            await decide(replicas, alert, "acknowledge", "the last that is heard")
            await until_disabled(replicas)
            gone = receiver.answers.count(410)
            for note in range(10):
                await decide(replicas, alert, "acknowledge", f"note {note}")
            await asyncio.sleep(3)
            during = receiver.answers.count(410) - gone

            receiver.mood = lambda: 200
            mend = f"{replicas[1].url}/v1/destinations/hook/enable"
            reply = await fleet.http.post(mend, json={"by": "anne"})
            await until_told(fleet)
            expected = await published(fleet)
            say(
                f"disabled after {gone} answer(s) of 410; {during} calls while disabled; enabled "
                f"again: {len(expected)} changes, {len(expected - told(receiver).keys())} missing"
            )
            assert reply.status_code == httpx.codes.OK
            assert 1 <= gone <= len(replicas)  # each may have had one call under way
            assert during == 0
            assert len(expected) >= 12
            check(receiver, expected)


async def until_disabled(replicas: Sequence[Replica]) -> None:
    """Both replicas say so, and stay ready."""
    for replica in replicas:
        async with asyncio.timeout(20):
            while "disabled since" not in await said_of_hook(replica):
                await asyncio.sleep(0.1)
        name = "earshot_alerts_destination_disabled"
        assert await replica.metric(name, destination="hook") == 1


async def said_of_hook(replica: Replica) -> str:
    return str((await replica.get("/readyz"))["parts"]["destination hook"])
