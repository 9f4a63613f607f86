"""Alerts on their topic; alerts of the past; rows whose time is over."""

import json
from datetime import timedelta

import pytest

from services.alerts.domain.alerts import Change, State
from services.alerts.store.retention import delete_old
from services.alerts.worker.publishing import Publishing
from shared.stream.records import KafkaUnavailable
from tests.support.alerts_stage import NOON, FakeKafka, Stage, fresh, receiver, stage
from tests.support.receivers import Receiver

__all__ = ["receiver", "stage"]


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
