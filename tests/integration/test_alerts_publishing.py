"""Alerts on their topic; alerts of the past; rows whose time is over."""

import json
from datetime import timedelta

import pytest

from services.alerts.domain.alerts import Alert, Change, State
from services.alerts.domain.answers import Answer, Place, minute_of
from services.alerts.store.retention import delete_old
from services.alerts.store.traced import keep_traces
from services.alerts.worker.publishing import Publishing
from shared.stream.records import KafkaUnavailable
from shared.stream.traced import trace_in
from tests.support.alerts_stage import NOON, FakeKafka, Stage, fresh, receiver, stage
from tests.support.receivers import Receiver
from tests.support.spans import Spans, parent_id, trace_id

__all__ = ["receiver", "stage"]
ANSWERED, LATER, OTHER = (f"00-{number:032x}-{number:016x}-01" for number in (1, 2, 3))


async def test_historic_alerts_are_published_and_tell_nobody(
    stage: Stage, receiver: Receiver
) -> None:
    hook = stage.add("hook", receiver.url, "webhook")
    await stage.tell((fresh(historic=True), Change.OPENED))
    kafka = FakeKafka()

    await hook.turn()
    await Publishing(stage.outbox, kafka).turn()

    assert receiver.got == []
    assert [json.loads(record.value or b"")["historic"] for record in kafka.taken] == [True]


async def test_records_are_published_once_kafka_takes_them(stage: Stage) -> None:
    alert = fresh()
    ended = alert.end(State.ACCEPTED, NOON, NOON)
    await stage.tell((alert, Change.OPENED), (ended, Change.ACCEPTED))
    kafka = FakeKafka(failures=1)
    publishing = Publishing(stage.outbox, kafka)

    with pytest.raises(KafkaUnavailable):
        await publishing.turn()
    await publishing.turn()
    await publishing.turn()

    records = [json.loads(record.value or b"") for record in kafka.taken]
    assert [(r["id"], r["revision"], r["change"]) for r in records] == [
        ("a-1", 1, "opened"), ("a-1", 2, "accepted"),
    ]  # fmt: skip
    assert {(r.topic, r.key) for r in kafka.taken} == {("detractor-alerts", b"a-1")}


async def test_old_rows_go_and_what_is_pending_stays(stage: Stage) -> None:
    stage.add("hook", "http://127.0.0.1:9", "webhook")
    await stage.tell((fresh(), Change.OPENED))
    later = NOON + timedelta(days=99)

    gone = await delete_old(stage.engine, timedelta(days=60), later)
    assert {table for table, rows in gone.items() if rows} == {"audit"}
    await Publishing(stage.outbox, FakeKafka()).turn()

    assert (await delete_old(stage.engine, timedelta(days=60), later))["changes"] == 1


async def test_an_alert_stands_in_the_traces_of_the_answers_that_raised_it(stage: Stage) -> None:
    alert = fresh(began_at=NOON - timedelta(hours=1), opened_at=NOON)
    inside = Place(alert.metric, alert.survey or "", minute_of(alert.began_at), leaf_of(alert))
    answers = [
        Answer(f"r-{n}", "v", inside._replace(minute=inside.minute + n), detractor, traceparent=t)
        for n, detractor, t in ((0, True, ANSWERED), (1, True, LATER), (2, False, OTHER))
    ]
    elsewhere = Answer("r-9", "v", inside._replace(leaf='{"region":"US"}'), True, traceparent=OTHER)
    async with stage.engine.begin() as connection:
        await keep_traces(connection, [*answers, elsewhere])
    await stage.tell((alert, Change.OPENED))
    kafka, spans = FakeKafka(), Spans()

    await Publishing(stage.outbox, kafka, spans.traces).turn()

    (span,) = spans.ended
    assert (trace_id(span), parent_id(span)) == (LATER[3:35], LATER[36:52])  # the newest of them
    assert [f"{link.context.trace_id:032x}" for link in span.links] == [ANSWERED[3:35]]
    assert (trace_in(kafka.taken[0].headers) or "")[3:35] == LATER[3:35]


def leaf_of(alert: Alert) -> str:
    return json.dumps(alert.segment | {"channel": "web"}, separators=(",", ":"))
