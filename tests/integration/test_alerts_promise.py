"""The nightly audit on real PostgreSQL: what came beside what was promised."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.api import build_promise
from services.alerts.domain.answers import DAY, Line, minute_of
from services.alerts.domain.clusters import worth
from services.alerts.domain.promise import Standard
from services.alerts.domain.terms import Policy
from services.alerts.metrics import REGISTRY
from services.alerts.store.audits import auditing, read_sample
from services.alerts.worker.auditing import Auditing
from services.alerts.worker.courtroom import Terms
from shared.db import open_engine
from shared.keys import KeyFile
from shared.metrics import Registry
from shared.web import Parts, build_web
from tests.support.alerts import LATTICE, START, AlertsRig, scored
from tests.support.alerts_history import SPIKE, history, play

UTC_ZONE = ZoneInfo("UTC")


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(fresh_database_url, schema="alerts") as engine:
        yield engine


@pytest.fixture
def rig(engine: AsyncEngine) -> AlertsRig:
    return AlertsRig(engine)


@pytest.fixture
async def http(engine: AsyncEngine) -> AsyncIterator[httpx.AsyncClient]:
    web = build_web(
        "alerts",
        routers=[build_promise(engine, Policy())],
        parts=Parts(),
        registry=Registry(),
        keys=KeyFile(None),
    )
    transport = httpx.ASGITransport(app=web)
    async with httpx.AsyncClient(transport=transport, base_url="http://alerts") as http:
        yield http


def auditor(rig: AlertsRig) -> Auditing:
    terms = Terms(Policy(), LATTICE, {}, lambda: rig.now)
    return Auditing(rig.engine, terms, UTC_ZONE)


async def made(rig: AlertsRig) -> int:
    ((number,),) = await rig.rows("SELECT count(*) FROM audits")
    return int(number)


@pytest.mark.thorough
async def test_a_spike_is_an_alarm_and_no_false_one(
    rig: AlertsRig, http: httpx.AsyncClient
) -> None:
    await play(rig, history())
    assert (await http.get("/v1/promise")).json()["audit"] is None

    await auditor(rig).turn()

    said = (await http.get("/v1/promise")).json()
    audit = said["audit"]
    assert (said["false_alarms_per_week"], said["smallest_rise"]) == (1.0, 5.0)
    assert not audit["complete"]
    assert audit["from"] == audit["warm_from"]
    whole = audit["all"]
    assert whole["alarms"] == {"real": 1, "false": 0, "undecided": 0}
    assert whole["alarms_per_week"]["value"] == pytest.approx(1 / _weeks(audit), rel=0.01)
    low, high = whole["false_alarms_per_week"]["interval"]
    assert low == 0
    assert high == pytest.approx(3.689 / _weeks(audit), rel=0.01)  # Garwood's bound of none
    assert whole["promise"] == Standard.NOT_REFUTED
    (line,) = audit["lines"]
    assert (line["metric"], line["survey"]) == ("nps", "post-delivery")
    shown = {"kind": "all", "bound": "estimate"}
    name = "earshot_alerts_audited_alarms_per_week"
    assert REGISTRY.get_sample_value(name, shown) == whole["alarms_per_week"]["value"]
    name = "earshot_alerts_promised_false_alarms_per_week"
    assert REGISTRY.get_sample_value(name) == 1.0


@pytest.mark.thorough
async def test_one_process_audits_once_a_night(rig: AlertsRig) -> None:
    await play(rig, history(until=SPIKE))
    one, other = auditor(rig), auditor(rig)

    async with auditing(rig.engine) as held:
        assert held is not None
        await one.turn()
        assert await made(rig) == 0  # somebody else is at it
    await asyncio.gather(one.turn(), other.turn())
    await one.turn()
    assert await made(rig) == 1

    rig.now += timedelta(hours=24)
    await other.turn()
    assert await made(rig) == 2


async def test_nothing_is_audited_before_a_day_was_judged(rig: AlertsRig) -> None:
    await play(rig, history(until=START + timedelta(hours=20)))

    await auditor(rig).turn()

    assert await made(rig) == 0


@pytest.mark.thorough
async def test_one_that_is_stopped_lets_go(rig: AlertsRig) -> None:
    await play(rig, history(until=SPIKE))
    one, stop = auditor(rig), asyncio.Event()
    running = asyncio.create_task(one.run(stop))
    stop.set()
    async with asyncio.timeout(5):
        await running

    await auditor(rig).turn()

    assert await made(rig) == 1


async def test_answers_of_a_cluster_tell_an_audit_less(rig: AlertsRig) -> None:
    """Eleven of one flight and day are worth 5.5; those of another segment or time count not."""
    rig.cluster_by = "customer"

    def come(first: int, number: int, flight: str | None, **changed: Any) -> None:
        at = changed.pop("at", START)
        rig.put(scored(i, at, detractor=i % 2 == 0, customer_id=flight, **changed)
                for i in range(first, first + number))  # fmt: skip

    come(0, 11, "LH400")
    come(100, 11, "LH400", at=START + timedelta(days=1))
    come(200, 7, None)
    come(300, 9, None, segments={"region": "US", "product": "shoes"})
    come(400, 9, None, at=START + timedelta(days=3))
    await rig.count_all()

    line, span = Line("nps", "post-delivery"), (minute_of(START), minute_of(START) + 2 * DAY)
    async with rig.engine.connect() as connection:
        sample = await read_sample(connection, line, {"region": "EU"}, span)

    assert sample[:2] == (29, 6 + 6 + 4)
    assert sample.worth == pytest.approx(2 * worth(11) + 7)


def _weeks(audit: dict[str, str]) -> float:
    span = datetime.fromisoformat(audit["to"]) - datetime.fromisoformat(audit["from"])
    return span / timedelta(weeks=1)
