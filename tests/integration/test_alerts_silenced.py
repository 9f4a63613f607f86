"""Silences: recorded and published, told to nobody until they are over."""

import json

import httpx
import msgspec
import pytest

from services.alerts.domain.alerts import Change, State
from services.alerts.domain.deliveries import REPEAT
from services.alerts.store import holding
from services.alerts.worker.publishing import Publishing
from tests.support.alerts_silences import HOUR, http, silence, told
from tests.support.alerts_stage import NOON, FakeKafka, Stage, fresh, receiver, stage
from tests.support.receivers import Receiver

__all__ = ["http", "receiver", "stage"]
STILL_FIRING = ("/api/v2/alerts", "")


def fires(receiver: Receiver) -> list[bool]:
    """Whether Alertmanager was told that the alert goes on, post by post."""
    posts = [json.loads(body) for path, _, body in receiver.got if path == STILL_FIRING[0]]
    return ["Recovered" not in batch[0]["annotations"]["summary"] for batch in posts]


async def test_nobody_is_told_while_it_lasts_and_then_how_it_is_by_now(
    stage: Stage, http: httpx.AsyncClient, receiver: Receiver
) -> None:
    stage.add("hook", f"{receiver.url}/hook", "webhook")
    stage.add("ops", f"{receiver.url}/ops", "alertmanager")
    stage.add("team", f"{receiver.url}/team", "slack")
    made = await silence(http, stage)
    lasting, gone = fresh(), fresh(id="a-2")
    elsewhere = fresh(id="a-3", segment={"region": "US"})
    await stage.tell(
        (lasting, Change.OPENED), (gone, Change.OPENED), (elsewhere, Change.OPENED),
        (lasting.revised(NOON), Change.UPDATED),
        (gone.end(State.RESOLVED, NOON, NOON), Change.RESOLVED),
    )  # fmt: skip

    silenced = await told(stage, receiver)
    shown = (await http.get("/v1/alerts/a-1")).json()["silenced_by"]
    kafka = FakeKafka()
    await Publishing(stage.outbox, kafka).turn()
    stage.now += HOUR
    after = await told(stage, receiver)

    posts = [("/ops/api/v2/alerts", ""), ("/team", "")]
    assert silenced == [("/hook", "a-3.1"), *posts]
    assert after == [("/hook", "a-1.2"), *posts]
    ops = [json.loads(body) for path, _, body in receiver.got if path.startswith("/ops")]
    assert [[one["labels"]["incident"] for one in batch] for batch in ops] == [
        ["a-3"], ["a-1", "a-3"],
    ]  # fmt: skip
    assert shown == [made["id"]]
    records = [json.loads(record.value or b"") for record in kafka.taken]
    assert {(r["id"], *r["silenced_by"]) for r in records} == {
        ("a-1", made["id"]), ("a-2", made["id"]), ("a-3",),
    }  # fmt: skip
    assert (await http.get("/v1/alerts/a-1")).json()["silenced_by"] == []


async def test_many_messages_of_one_silence_neither_break_it_nor_keep_back_those_of_another(
    stage: Stage,
    http: httpx.AsyncClient,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(holding, "LOOKED_AT", 2)
    stage.add("hook", f"{receiver.url}/hook", "webhook")
    long, short = fresh(), fresh(id="a-9", segment={"region": "US"})
    changes = [(long, Change.OPENED)]
    for _ in range(6):
        changes.append((changes[-1][0].revised(NOON), Change.UPDATED))
    await stage.tell(*changes)  # due when the silence is made, more than are looked at

    times = {"to": (stage.now + 9 * HOUR).isoformat()}
    await silence(http, stage, **times)
    await silence(http, stage, matchers={"segment": {"region": "US"}})
    assert await told(stage, receiver) == []
    await stage.tell((short, Change.OPENED))
    assert await told(stage, receiver) == []
    stage.now += HOUR

    assert await told(stage, receiver) == [("/hook", "a-9.1")]


async def test_what_a_destination_slept_through_is_told_as_if_it_had_not(
    stage: Stage, http: httpx.AsyncClient, receiver: Receiver
) -> None:
    stage.add("hook", receiver.url, "webhook")
    await silence(http, stage)
    lasting, gone = fresh(), fresh(id="a-2")
    await stage.tell((lasting, Change.OPENED), (gone, Change.OPENED))
    await stage.tell(
        (lasting.revised(NOON), Change.UPDATED),
        (gone.end(State.RESOLVED, NOON, NOON), Change.RESOLVED),
    )

    stage.now += HOUR

    assert await told(stage, receiver) == [("/", "a-1.2")]


async def test_an_alert_that_was_told_before_falls_silent_and_its_end_is_told_afterwards(
    stage: Stage, http: httpx.AsyncClient, receiver: Receiver
) -> None:
    hook = stage.add("hook", receiver.url, "webhook")
    manager = stage.add("ops", receiver.url, "alertmanager")
    alert = fresh()
    await stage.tell((alert, Change.OPENED))
    assert len(await told(stage, receiver)) == 2

    made = await silence(http, stage)
    stage.now += HOUR / 2
    assert await told(stage, receiver) == [STILL_FIRING]
    await stage.tell((alert.end(State.RESOLVED, stage.now, stage.now), Change.RESOLVED))
    stage.now += REPEAT
    assert await told(stage, receiver) == [STILL_FIRING]
    reply = await http.delete(f"/v1/silences/{made['id']}", params={"by": "bo", "note": "done"})

    assert (reply.json()["state"], reply.json()["ended_by"]) == ("expired", "bo")
    assert await told(stage, receiver) == [("/", "a-1.2"), STILL_FIRING]
    assert fires(receiver) == [True, True, True, False]
    assert (await http.delete(f"/v1/silences/{made['id']}")).status_code == 409
    assert hook.fault is None
    assert manager.fault is None


async def test_alertmanager_goes_on_hearing_what_it_was_told_before_and_nothing_new(
    stage: Stage, http: httpx.AsyncClient, receiver: Receiver
) -> None:
    stage.add("ops", receiver.url, "alertmanager")
    alert = fresh()
    await stage.tell((alert, Change.OPENED))
    await told(stage, receiver)
    await silence(http, stage)
    grown = msgspec.structs.replace(alert, n=400).revised(NOON)
    await stage.tell((grown, Change.UPDATED), (fresh(id="a-2"), Change.OPENED))

    for _ in range(7):  # longer than Alertmanager believes what it was told
        stage.now += REPEAT
        assert await told(stage, receiver) == [STILL_FIRING]
    lasting = receiver.bodies()[1:]
    stage.now = NOON + HOUR
    await told(stage, receiver)

    assert {one["labels"]["incident"] for batch in lasting for one in batch} == {"a-1"}
    assert {one["annotations"]["answers"] for batch in lasting for one in batch} == {"84"}
    assert all(one["endsAt"] > one["startsAt"] for batch in lasting for one in batch)
    by_then = {one["labels"]["incident"]: one for one in receiver.bodies()[-1]}
    assert by_then.keys() == {"a-1", "a-2"}
    assert by_then["a-1"]["annotations"]["answers"] == "400"


async def test_an_end_that_came_just_before_the_silence_waits_for_its_end(
    stage: Stage, http: httpx.AsyncClient, receiver: Receiver
) -> None:
    stage.add("ops", receiver.url, "alertmanager")
    alert = fresh()
    await stage.tell((alert, Change.OPENED))
    await told(stage, receiver)
    await stage.tell((alert.end(State.RESOLVED, NOON, NOON), Change.RESOLVED))
    await silence(http, stage)

    stage.now += REPEAT
    assert await told(stage, receiver) == []
    stage.now += HOUR

    assert await told(stage, receiver) == [STILL_FIRING]
    assert fires(receiver) == [True, False]
