"""Silences: recorded and published, told to nobody until they are over; maintenance windows."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from services.alerts.api import Known, build_audit, build_router, build_silences
from services.alerts.domain.alerts import Change, State
from services.alerts.domain.silences import Matcher, Silence
from services.alerts.store import holding
from services.alerts.store.silences import put_silence
from services.alerts.worker.publishing import Publishing
from shared.db import open_engine
from shared.events import ScoredResponse
from shared.keys import KeyFile
from shared.senders.webhook import open_client
from shared.web import Parts, build_web
from tests.support.alerts import START, AlertsRig, finish, judging, scored
from tests.support.alerts_history import SPIKE, SPIKE_ENDS, history
from tests.support.alerts_stage import NOON, FakeKafka, Stage, fresh
from tests.support.receivers import Receiver, open_receiver
from tests.support.schemas import check_reply

HOUR = timedelta(hours=1)
KNOWN = Known(("post-delivery", "post-call"), ("region", "product"))
EU = {"by": "anne", "note": "deploy", "matchers": {"segment": {"region": "EU"}}}


@pytest.fixture
async def stage(fresh_database_url: str) -> AsyncIterator[Stage]:
    async with (
        open_engine(fresh_database_url, schema="alerts") as engine,
        open_client(timeout_s=2) as client,
    ):
        yield Stage(engine, client)


@pytest.fixture
async def http(stage: Stage) -> AsyncIterator[httpx.AsyncClient]:
    routers = [
        build_router(stage.engine, {}, stage.clock),
        build_silences(stage.engine, KNOWN, stage.clock),
        build_audit(stage.engine),
    ]
    web = build_web(
        "alerts", routers=routers, parts=Parts(), registry=CollectorRegistry(), keys=KeyFile(None)
    )
    transport = httpx.ASGITransport(app=web)
    async with httpx.AsyncClient(transport=transport, base_url="http://alerts") as http:
        yield http


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with open_receiver() as receiver:
        yield receiver


async def silence(http: httpx.AsyncClient, stage: Stage, **changed: Any) -> dict[str, Any]:
    times = {"from": stage.now.isoformat(), "to": (stage.now + HOUR).isoformat()}
    reply = await http.post("/v1/silences", json=EU | times | changed)
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def told(stage: Stage, receiver: Receiver) -> list[tuple[str, str]]:
    """What each destination was told just now: where, and which message."""
    before = len(receiver.got)
    for _ in range(3):
        for one in stage.deliverings.values():
            await one.turn()
    return sorted(
        (path, headers.get("webhook-id", "")) for path, headers, _ in receiver.got[before:]
    )


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
    assert await told(stage, receiver) == []
    await stage.tell((alert.end(State.RESOLVED, stage.now, stage.now), Change.RESOLVED))
    assert await told(stage, receiver) == []
    reply = await http.delete(f"/v1/silences/{made['id']}", params={"by": "bo", "note": "done"})

    assert (reply.json()["state"], reply.json()["ended_by"]) == ("expired", "bo")
    assert await told(stage, receiver) == [("/", "a-1.2"), ("/api/v2/alerts", "")]
    assert (await http.delete(f"/v1/silences/{made['id']}")).status_code == 409
    assert hook.fault is None
    assert manager.fault is None


async def test_silences_are_listed_by_state_and_stand_in_the_audit_trail(
    stage: Stage, http: httpx.AsyncClient
) -> None:
    first = await silence(http, stage)
    later = {"from": (stage.now + HOUR).isoformat(), "to": (stage.now + 2 * HOUR).isoformat()}
    second = await silence(http, stage, maintenance=True, by="bo", **later)
    await http.delete(f"/v1/silences/{first['id']}", params={"by": "bo"})

    by_state = {}
    for state in ("active", "pending", "expired"):
        reply = await http.get("/v1/silences", params={"state": state})
        check_reply(http, reply)
        by_state[state] = [one["id"] for one in reply.json()["items"]]
    audit = (await http.get("/v1/audit")).json()["items"]

    assert by_state == {"active": [], "pending": [second["id"]], "expired": [first["id"]]}
    assert [(one["by"], one["action"], one["subject"]) for one in audit] == [
        ("bo", "silence-ended", first["id"]),
        ("bo", "maintenance-created", second["id"]),
        ("anne", "silence-created", first["id"]),
    ]
    assert audit[2]["detail"]["matchers"]["segment"] == {"region": "EU"}
    assert audit[2]["note"] == "deploy"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"matchers": {"metric": "nsp"}}, "matchers.metric"),
        ({"matchers": {"survey": "post-cal"}}, "matchers.survey"),
        ({"matchers": {"segment": {"regoin": "EU"}}}, "matchers.segment.regoin"),
        ({"matchers": {"segment": {"region": "  "}}}, "matchers.segment.region"),
        ({"matchers": {"segments": {}}}, "matchers.segments"),
        ({"matchers": None}, "matchers"),
        ({"to": NOON.isoformat()}, "to"),
        ({"to": (NOON + timedelta(days=91)).isoformat()}, "to"),
        ({"to": "2300-01-01T00:00:00Z"}, "to"),
        ({"to": "tomorrow"}, "to"),
        ({"by": ""}, "by"),
        ({"until": "x"}, "until"),
    ],
)
async def test_what_is_no_silence_is_refused_with_what_is_accepted(
    changed: dict[str, Any], field: str
) -> None:
    async def ask(http: httpx.AsyncClient) -> httpx.Response:
        times = {"from": NOON.isoformat(), "to": (NOON + HOUR).isoformat()}
        return await http.post("/v1/silences", json=EU | times | changed)

    engine: Any = None  # what is refused reaches no database
    web = build_web(
        "alerts", routers=[build_silences(engine, KNOWN, lambda: NOON)], parts=Parts(),
        registry=CollectorRegistry(), keys=KeyFile(None),
    )  # fmt: skip
    transport = httpx.ASGITransport(app=web)
    async with httpx.AsyncClient(transport=transport, base_url="http://alerts") as http:
        reply = await ask(http)

    assert reply.status_code == 422, reply.text
    (fault,) = reply.json()["errors"]
    assert fault["field"] == field
    assert fault["accepted"]


async def test_answers_of_a_maintenance_window_raise_nothing_however_late_they_come(
    fresh_database_url: str,
) -> None:
    async with open_engine(fresh_database_url, schema="alerts") as engine:
        rig = AlertsRig(engine)
        window = Silence(
            id="s-1", matchers=Matcher(segment={"region": "EU", "product": "shoes"}),
            begins_at=SPIKE, ends_at=SPIKE_ENDS, maintenance=True,
            by="anne", note=None, created_at=START,
        )  # fmt: skip
        async with engine.begin() as connection:
            await put_silence(connection, window)
        answers = history(until=SPIKE_ENDS)
        rig.put(answers)
        await rig.count_all()
        async with judging(rig.judge()) as judge:
            await finish(judge)
            late = SPIKE + HOUR
            rig.put([scored(90_000 + i, late, detractor=True) for i in range(200)])
            rig.put([scored(99_000, SPIKE_ENDS + HOUR, detractor=False)])
            await rig.count_all()
            await finish(judge)

        assert await rig.alerts() == []
        assert await rig.judged_to() is not None
        (left,) = await rig.rows("SELECT count(*) FROM counted")
        inside = [
            a for a in answers
            if window.holds(a.answered_at) and a.segments == window.matchers.segment
        ]  # fmt: skip
        assert left[0] == len(answers) - len(inside) + 1


@pytest.mark.thorough
@pytest.mark.parametrize("maintained", [True, False])
async def test_the_rest_of_a_mix_is_no_rise(fresh_database_url: str, *, maintained: bool) -> None:
    """For twelve hours the contented half says nothing: by maintenance, or for no known reason."""
    draw, ends = random.Random(5), SPIKE + 12 * HOUR
    answers: list[ScoredResponse] = []
    at = START
    while at < ends:
        at += timedelta(minutes=2)
        region = draw.choice(("EU", "US"))
        if at < SPIKE or region == "US":
            detractor = draw.random() < (0.02 if region == "EU" else 0.60)
            where = {"region": region, "product": "shoes"}
            answers.append(scored(len(answers), at, detractor=detractor, segments=where))
    async with open_engine(fresh_database_url, schema="alerts") as engine:
        rig = AlertsRig(engine)
        if maintained:
            window = Silence(
                id="s-1", matchers=Matcher(segment={"region": "EU"}), begins_at=SPIKE, ends_at=ends,
                maintenance=True, by="anne", note=None, created_at=START,
            )  # fmt: skip
            async with engine.begin() as connection:
                await put_silence(connection, window)
        rig.put(answers)
        await rig.count_all()
        async with judging(rig.judge()) as judge:
            await finish(judge)

        assert bool(await rig.alerts()) is not maintained


async def test_a_destination_that_hangs_delays_no_other(stage: Stage, receiver: Receiver) -> None:
    async with open_receiver() as stuck:
        stuck.mood = lambda: -1
        for kind in ("webhook", "slack", "alertmanager"):
            stage.add(f"stuck-{kind}", stuck.url, kind)
            stage.add(kind, receiver.url, kind)
        stop = asyncio.Event()
        await stage.tell((fresh(), Change.OPENED))
        began = asyncio.get_running_loop().time()
        tasks = [asyncio.ensure_future(one.run(stop)) for one in stage.deliverings.values()]
        await receiver.until(3)
        took = asyncio.get_running_loop().time() - began
        stop.set()
        stuck.hang_up()
        await asyncio.gather(*tasks)

    assert took < 1.5
