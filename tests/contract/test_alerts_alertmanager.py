"""What we post is what Alertmanager takes: the fake and the real one say the same."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from services.alerts.domain.alerts import Alert, Change, State
from services.alerts.domain.estimates import Severity
from services.alerts.domain.facts import Crossing
from services.alerts.worker.bodies import posted
from shared.db import open_engine
from shared.senders import SendFailed
from shared.senders.alertmanager import AlertmanagerSender, PostedAlert, label_name
from tests.support.alertmanager import open_fake, open_real
from tests.support.alerts import an_alert
from tests.support.alerts_stage import Stage, fresh


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.tools)])
async def client(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    opened = open_fake() if request.param == "fake" else open_real(tmp_path)
    async with opened as client:
        yield client


def told(alert: Alert, now: datetime) -> PostedAlert:
    return posted(alert, Severity.CRITICAL, "http://alerts", now)


async def shown(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    alerts: list[dict[str, Any]] = (await client.get("/api/v2/alerts")).json()
    return alerts


async def test_an_alert_fires_stays_one_and_is_resolved(client: httpx.AsyncClient) -> None:
    sender = AlertmanagerSender(client, str(client.base_url))
    now = datetime.now(UTC)
    opened = an_alert(opened_at=now - timedelta(hours=2))
    grown = an_alert(opened_at=opened.opened_at, n=200, severity=Severity.INFO)

    await sender.send([told(opened, now)])
    await sender.send([told(grown, now + timedelta(seconds=1))])
    (alert,) = await shown(client)

    assert alert["labels"] == {
        "alertname": "DetractorSpike",
        "incident": "a-1",
        "metric": "nps",
        "survey": "post-delivery",
        "region": "EU",
        "product": "shoes",
        "severity": "critical",
    }
    assert alert["annotations"]["answers"] == "200"
    assert alert["annotations"]["link"] == "http://alerts/v1/alerts/a-1"
    starts, ends = (datetime.fromisoformat(alert[name]) for name in ("startsAt", "endsAt"))
    assert abs(starts - opened.opened_at) < timedelta(seconds=1)
    assert timedelta(minutes=5) <= ends - now < timedelta(minutes=6)

    await sender.send([told(grown.end(State.RESOLVED, now, now), now)])

    assert await shown(client) == []


async def test_the_running_destination_shows_one_alert_whatever_explains_it_and_resolves_it(
    client: httpx.AsyncClient, fresh_database_url: str
) -> None:
    async with open_engine(fresh_database_url, schema="alerts") as engine:
        stage = Stage(engine, client)
        stage.now = datetime.now(UTC)
        manager = stage.add("ops", str(client.base_url), "alertmanager")
        alert = fresh(segment={"region": "EU"}, opened_at=stage.now - timedelta(hours=1))
        raised = alert.joined_by(
            Crossing(
                segment=alert.segment, began_at=alert.began_at, opened_at=alert.opened_at,
                n=alert.n, rates=alert.detractor_rate,
            )
        )  # fmt: skip
        segment = {"region": "EU", "product": "shoes"}
        explained = msgspec.structs.replace(raised, segment=segment).revised(stage.now)
        await stage.tell((raised, Change.OPENED))
        await manager.turn()
        await stage.tell((explained, Change.UPDATED))
        await manager.turn()
        (firing,) = await shown(client)
        ended = explained.end(State.RESOLVED, stage.now, stage.now)
        following = msgspec.structs.replace(raised, id="a-2")
        await stage.tell((ended, Change.RESOLVED), (following, Change.OPENED))
        await manager.turn()
        (left,) = await shown(client)

    assert (firing["labels"]["region"], firing["annotations"]["alert_id"]) == ("EU", "a-1")
    assert "product" not in firing["labels"]
    assert firing["annotations"]["segment"] == "region EU, product shoes"
    assert left["annotations"]["alert_id"] == "a-2"  # of the same segment, and not resolved with it


async def test_values_of_any_script_are_taken(client: httpx.AsyncClient) -> None:
    sender = AlertmanagerSender(client, str(client.base_url))
    now = datetime.now(UTC)
    alert = an_alert(
        segment={"지역": "서울", "상품": "신발", "touch.point": 'a "b"', "severity": "x"},
        opened_at=now,
        survey=None,
    )

    await sender.send([told(alert, now)])

    (found,) = await shown(client)
    assert found["labels"]["segment___"] == "서울"
    assert found["labels"]["segment_segment___"] == "신발"
    assert found["labels"]["touch_point"] == 'a "b"'
    assert found["labels"]["segment_severity"] == "x"
    assert "survey" not in found["labels"]


async def test_what_is_no_alert_is_refused_for_good(client: httpx.AsyncClient) -> None:
    sender = AlertmanagerSender(client, str(client.base_url))
    now = datetime.now(UTC)
    nothing = PostedAlert(labels={}, annotations={}, starts_at=now, ends_at=now, link="")
    misnamed = PostedAlert(
        labels={"not-a-name": "x"}, annotations={}, starts_at=now, ends_at=now, link=""
    )

    for alert in (nothing, misnamed):
        with pytest.raises(SendFailed, match="answered 400") as failed:
            await sender.send([alert])
        assert failed.value.permanent


async def test_an_alertmanager_that_is_away_is_tried_again() -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(SendFailed, match="could not be reached: ConnectError") as failed:
            await AlertmanagerSender(client, "http://127.0.0.1:9").send([])

    assert not failed.value.permanent


async def test_an_alert_that_opened_ahead_of_our_clock_can_be_resolved(
    client: httpx.AsyncClient,
) -> None:
    sender = AlertmanagerSender(client, str(client.base_url))
    now = datetime.now(UTC)
    alert = an_alert(opened_at=now + timedelta(minutes=3))

    await sender.send([told(alert, now)])
    await sender.send([told(alert.end(State.RESOLVED, now, now), now)])

    assert await shown(client) == []


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"no " * 1_000


@pytest.mark.parametrize(
    ("status", "permanent"),
    [(302, False), (400, True), (401, False), (403, False), (404, False), (413, True),
     (422, True), (429, False), (503, False)],
)  # fmt: skip
async def test_only_what_is_said_of_the_alert_itself_is_for_good(
    status: int, *, permanent: bool
) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, content=endless()))
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(SendFailed, match=f"answered {status}: no no") as failed:
            await AlertmanagerSender(client, "http://manager").send([])

    assert failed.value.permanent is permanent
    assert len(failed.value.detail) < 400  # however much it says


@pytest.mark.parametrize(
    ("name", "label"),
    [("region", "region"), ("call.queue", "call_queue"), ("metric", "segment_metric"),
     ("2nd", "segment_2nd")],
)  # fmt: skip
def test_a_dimension_becomes_a_label_that_every_alertmanager_accepts(name: str, label: str) -> None:
    assert label_name(name, taken=("metric",)) == label
