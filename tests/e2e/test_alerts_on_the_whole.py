"""A fault in one slice of a running system: alerted, named, told once, whatever is killed."""

import asyncio
import math
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from sqlalchemy import make_url

from shared.embedded.system import running
from tests.support.alertmanager import open_real
from tests.support.incidents import judged_to, listed, moment
from tests.support.replays import programme_for
from tests.support.shop import FAULT, FAULTY, USUAL, Shop
from tests.support.system import System, open_system

pytestmark = [pytest.mark.system, pytest.mark.tools, pytest.mark.timeout(400)]

DAYS, A_DAY = 28, 400
BATCH, PAUSE_S = 40, 0.2
REPEATS = 5  # of all that is sent
SLACK_NATS = 0.5  # of the rule of thumb: (ln A - 3.9 +- 0.5) / KL
BEHIND = timedelta(minutes=12)  # live is so far behind the clock, so that recovery can hurry


@dataclass
class Stage:
    """The running system, its shop and the Alertmanager that it tells."""

    system: System
    manager: httpx.AsyncClient
    shop: Shop = field(default_factory=Shop)
    ahead: timedelta = timedelta()
    repeats: int = 0

    def now(self) -> datetime:
        """Event time."""
        return datetime.now(UTC) - BEHIND + self.ahead

    async def send(self, bodies: Sequence[dict[str, Any]]) -> None:
        """As an emitter does: what was not acknowledged in time is sent again."""
        async with asyncio.timeout(30):
            reply = await self.system.post("ingest", "/v1/responses/batch", bodies)
            while reply.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                self.repeats += 1
                assert self.repeats <= REPEATS, reply.text
                await asyncio.sleep(0.5)
                reply = await self.system.post("ingest", "/v1/responses/batch", bodies)
        assert {item["status"] for item in reply.json()["items"]} == {"accepted"}

    async def live(self) -> None:
        """A moment's answers."""
        await self.send([self.shop.answer(self.now()) for _ in range(BATCH)])
        await asyncio.sleep(PAUSE_S)

    async def caught_up(self, moment: datetime) -> None:
        async with asyncio.timeout(120):
            while ((at := await judged_to(self.system)) is None) or at < moment:
                await asyncio.sleep(0.2)

    async def shown(self) -> list[dict[str, Any]]:
        alerts: list[dict[str, Any]] = (await self.manager.get("/api/v2/alerts")).json()
        return alerts


def write_programme(folder: Path, manager: str) -> Path:
    programme = programme_for(folder, ("region", "product", "channel"))
    segments = (programme / "segments.yaml").read_text()
    paired = segments.replace("pairs: []", "pairs: [[region, product]]")
    (programme / "segments.yaml").write_text(paired)
    told = f'destinations:\n  ops: {{kind: alertmanager, url: "{manager}"}}\n'
    (programme / "alerts.yaml").write_text(told)
    return programme


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """Four quiet weeks have been imported and judged."""
    (tmp_path / "manager").mkdir()
    async with open_real(tmp_path / "manager") as manager:
        programme = write_programme(tmp_path / "programme", str(manager.base_url).rstrip("/"))
        async with open_system(tmp_path / "var", EARSHOT_PROGRAMME=str(programme)) as system:
            await system.start(within_s=90)
            stage = Stage(system, manager)
            end = stage.now()
            past = list(stage.shop.history(end, days=DAYS, a_day=A_DAY))
            for start in range(0, len(past), 1_000):
                await stage.send(past[start : start + 1_000])
            await stage.caught_up(moment(past[-1]["answered_at"]))
            yield stage


async def promised(system: System, an_hour: float) -> float:
    """Answers of the slice until an alarm, by the formula: (ln A - 3.9 + slack) / KL.

    `evidence_needed` is ln A - 3.9 with A in answers as they usually come. The budget is of hours:
    with so many answers `an_hour`, each claims less of it, and A is as many times more answers.
    """
    page = await system.get(
        "alerts", "/v1/sensitivity", metric="nps",
        segment=[f"{name}:{value}" for name, value in FAULT.items()],
    )  # fmt: skip
    (stream,) = page["items"]
    usual, daily = stream["baseline"], stream["answers_per_day"]
    assert usual == pytest.approx(USUAL, abs=0.05)
    told = FAULTY * math.log(FAULTY / usual)
    told += (1 - FAULTY) * math.log((1 - FAULTY) / (1 - usual))
    claimed_h = min(24 / daily, 1.0)
    nats: float = stream["evidence_needed"] + math.log(claimed_h * an_hour)
    return (nats + SLACK_NATS) / told


async def read_again(system: System) -> None:
    """Alerts are killed, and read the topic of answers from its beginning."""
    found = running(system.var)
    assert found is not None
    system.kill()
    url = make_url(found.database_url).set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    done = await connection.execute("DELETE FROM alerts.offsets")
    await connection.close()
    assert int(done.split()[-1]) > 0
    await system.start(within_s=90)
    async with asyncio.timeout(90):
        while await lag(system) is None or await lag(system):
            await asyncio.sleep(0.2)
    await asyncio.sleep(4)  # the judge's settling and a few turns


async def lag(system: System) -> float | None:
    """Records of the topic that alerts have not settled; None before it knows."""
    text = (await system.http.get(f"{system.urls['alerts']}/metrics")).text
    lines = [line for line in text.splitlines() if line.startswith("earshot_consumer_lag_records{")]
    return sum(float(line.rpartition(" ")[2]) for line in lines) if lines else None


async def open_one(stage: Stage, patience: int) -> dict[str, Any]:
    """Live until there is an alert."""
    for _ in range(patience):
        await stage.live()
        if found := await listed(stage.system):
            (alert,) = found
            return alert
    raise AssertionError(f"no alert on {len(stage.shop.hit)} answers of the slice")


async def calm(stage: Stage) -> float:
    """A calm moment; give how many answers an hour the slice has when all is live."""
    began, before = stage.now(), stage.shop.drawn
    for _ in range(10):
        await stage.live()
    hours = (stage.now() - began) / timedelta(hours=1)
    await stage.caught_up(stage.now() - timedelta(seconds=2))
    assert await listed(stage.system) == []
    return (stage.shop.drawn - before) / 12 / hours


async def test_a_fault_in_one_slice_is_one_alert_that_names_it_and_ends(stage: Stage) -> None:
    system, shop = stage.system, stage.shop
    limit = await promised(system, await calm(stage))

    shop.faulty = True
    while len(shop.hit) < limit / 3:
        await stage.live()
    system.kill()
    await system.start(within_s=90)
    alert = await open_one(stage, patience=200)

    sys.stdout.write(said(alert, limit, shop.hit))
    due = shop.hit[min(math.ceil(limit), len(shop.hit)) - 1]
    assert moment(alert["opened_at"]) <= due + timedelta(seconds=2)
    assert alert["segment"] == alert["slices"][0]["segment"] == FAULT
    assert (alert["state"], alert["historic"]) == ("open", False)
    assert alert["n"] >= 20
    since, until = map(moment, alert["began_between"])
    assert since <= shop.hit[0] <= until
    assert alert["top_reasons"][0]["reason"] == "delivery-late"
    assert alert["detractor_rate"]["baseline"] == pytest.approx(USUAL, abs=0.03)

    await is_told_once(stage, alert["id"])
    await recovers(stage, alert["id"])


def said(alert: dict[str, Any], limit: float, hit: Sequence[datetime]) -> str:
    """What a table of results shows; times in seconds from the fault."""
    opened, fault = moment(alert["opened_at"]), hit[0]
    used = sum(at <= opened for at in hit)
    told = moment(alert["raised_at"]) - BEHIND - fault
    since, until = ((moment(at) - fault).total_seconds() for at in alert["began_between"])
    rate = alert["detractor_rate"]
    return (
        f"\npromised {limit:.0f} answers, {used} used; opened after "
        f"{(opened - fault).total_seconds():.1f} s of event time, told after "
        f"{told.total_seconds():.1f} s, kill -9 and start included; {alert['segment']}, "
        f"{alert['explains']:.0%} explained, n {alert['n']}, {rate['baseline']:.3f} to "
        f"{rate['current']:.3f}, rise {alert['rise']}, began at {since:.0f} to {until:.0f} s\n"
    )


async def hurry(stage: Stage) -> None:
    """Five minutes of event time, in which some 280 customers of the slice answer."""
    for _ in range(7):
        stage.ahead += timedelta(seconds=42)
        await stage.send([stage.shop.answer(stage.now()) for _ in range(12 * BATCH)])
        await asyncio.sleep(PAUSE_S)


async def is_told_once(stage: Stage, name: str) -> None:
    """Also when all answers are read again."""
    async with asyncio.timeout(60):
        while not (firing := await stage.shown()):
            await asyncio.sleep(0.2)
    assert [one["annotations"]["alert_id"] for one in firing] == [name]
    assert firing[0]["annotations"]["segment"] == "region EU, product shoes"

    await read_again(stage.system)

    (alert,) = await listed(stage.system)
    assert (alert["id"], alert["state"], alert["segment"]) == (name, "open", FAULT)
    assert len(await stage.shown()) == 1


async def recovers(stage: Stage, name: str) -> None:
    """What was wrong lasts for a while, then it is mended."""
    await hurry(stage)
    stage.shop.faulty = False
    await hurry(stage)
    async with asyncio.timeout(60):
        while (alert := (await listed(stage.system))[0])["state"] == "open":
            await asyncio.sleep(0.2)
    assert (alert["id"], alert["state"]) == (name, "resolved")
    lasted = moment(alert["resolved_at"]) - moment(alert["opened_at"])
    sys.stdout.write(f"resolved {lasted.total_seconds():.0f} s of event time after it opened\n")
    async with asyncio.timeout(60):
        while await stage.shown():
            await asyncio.sleep(0.2)

    await read_again(stage.system)

    assert [one["id"] for one in await listed(stage.system)] == [name]
    assert await stage.shown() == []
