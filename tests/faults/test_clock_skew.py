"""Replicas whose clocks are hours apart: every count is exact, and nobody is asked twice."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.faults.conftest import Say
from tests.support.calls import CALLS
from tests.support.fleet import Fleet, Replica, open_fleet
from tests.support.ground import Ground
from tests.support.load import Load
from tests.support.skew import is_off, told
from tests.support.tally import connect
from tests.support.whole import Whole

pytestmark = pytest.mark.timeout(300)  # on a busy machine

HOUR = timedelta(hours=1)
SERVICES = ("ingest", "scoring", "trigger", "alerts")


async def up(fleet: Fleet, service: str, offset: timedelta) -> Replica:
    (replica,) = await fleet.up(service, 1, **told(offset))
    assert is_off(replica, offset)
    return replica


@pytest.mark.slow
@pytest.mark.parametrize("hours", [2, 12])
async def test_clocks_hours_apart_change_no_count(
    ground: Ground, programme: Path, tmp_path: Path, say: Say, hours: int
) -> None:
    """One replica of each service is ahead, one behind; some of both are killed."""
    # what a killed trigger was sending is sent by another a few seconds later
    async with open_fleet(ground, tmp_path, programme, EARSHOT_SEND_WITHIN="3s") as fleet:
        ahead = await asyncio.gather(*(up(fleet, name, hours * HOUR) for name in SERVICES))
        behind = await asyncio.gather(*(up(fleet, name, -hours * HOUR) for name in SERVICES))
        urls = [ahead[0].url, behind[0].url]
        whole = Whole(
            fleet, ahead[0], (*ahead[1:], *behind[1:]),
            Load(fleet.http, urls), Load(fleet.http, urls, size=20, posting=CALLS),
        )  # fmt: skip
        async with whole.loaded():
            await asyncio.sleep(2)
            for replica in (ahead[2], behind[1], ahead[3]):  # what they held is taken over
                replica.kill()
            await asyncio.sleep(2)
        found = await whole.settled()

        say(f"clocks {2 * hours} hours apart: {found}")
        assert found.exact
        assert not whole.answers.faults
        assert not whole.calls.faults


@pytest.mark.slow
async def test_a_clock_that_is_ahead_carries_no_time_away(
    ground: Ground, programme: Path, tmp_path: Path, say: Say
) -> None:
    """Answers without a time of their own, stamped by an ingest that is two hours ahead."""
    async with open_fleet(ground, tmp_path, programme) as fleet:
        ingest, *_ = await asyncio.gather(
            *(up(fleet, name, 2 * HOUR) for name in ("ingest", "scoring", "alerts"))
        )
        for number in range(20):
            body = {"id": f"r-{number}", "metric": "nps", "answers": {"score": 3}}
            reply = await fleet.http.post(f"{ingest.url}/v1/responses", json=body)
            assert reply.status_code == 202
        newest = await _newest(fleet, 20)

        off_s = (newest - datetime.now(UTC)).total_seconds()
        say(f"alerts' newest answer is {off_s:.1f} s ahead of now")
        assert off_s < 1


async def _newest(fleet: Fleet, number: int) -> datetime:
    """The newest answer of all, once alerts has counted so many."""
    connection = await connect(fleet.database_url)
    try:
        async with asyncio.timeout(30):
            while await connection.fetchval("SELECT count(*) FROM alerts.counted") < number:
                await asyncio.sleep(0.1)
        newest: datetime = await connection.fetchval("SELECT max(newest) FROM alerts.heard")
        return newest
    finally:
        await connection.close()


@pytest.mark.slow
async def test_an_ingest_that_is_behind_takes_what_was_just_given(
    ground: Ground, programme: Path, tmp_path: Path, say: Say
) -> None:
    async with open_fleet(ground, tmp_path, programme) as fleet:
        ingest = await up(fleet, "ingest", -2 * HOUR)
        body = {"id": "r-0", "metric": "nps", "answers": {"score": 3}}
        url = f"{ingest.url}/v1/responses"
        assert (await fleet.http.post(url, json=body)).status_code == 202  # it hears the time
        given = {**body, "id": "r-1", "answered_at": datetime.now(UTC).isoformat()}
        reply = await fleet.http.post(url, json=given)

        clock = (await ingest.get("/readyz"))["parts"]["clock"]
        say(f"an answer of now: {reply.status_code}; readyz: clock {clock}")
        assert reply.status_code == 202
        assert clock == "-7200 s off Kafka's, which is used"
