"""Destinations are told, each by itself: retries, dead letters, leases."""

import json
from datetime import timedelta

from standardwebhooks import Webhook

from services.alerts.domain.alerts import Change, State
from services.alerts.domain.deliveries import GIVE_UP, REPEAT
from services.alerts.store.outbox import LEASE
from tests.support.alerts_stage import NOON, SECRET, Stage, fresh, receiver, stage
from tests.support.receivers import Receiver

__all__ = ["receiver", "stage"]


async def test_a_webhook_gets_each_change_once_signed_as_published(
    stage: Stage, receiver: Receiver
) -> None:
    hook = stage.add("hook", receiver.url, "webhook")
    alert = fresh()
    ended = alert.end(State.RESOLVED, NOON, NOON)
    await stage.tell((alert, Change.OPENED), (ended, Change.RESOLVED))

    await hook.turn()
    await hook.turn()

    assert sorted(h["webhook-id"] for _, h, _ in receiver.got) == ["a-1.1", "a-1.2"]
    for _, headers, body in receiver.got:
        Webhook(SECRET).verify(body.decode(), headers)
    bodies = sorted(receiver.bodies(), key=lambda body: body["revision"])
    assert [body["change"] for body in bodies] == ["opened", "resolved"]
    assert bodies[0]["schema"] == "detractor-alert/1"
    assert bodies[0]["link"] == "http://alerts/v1/alerts/a-1"
    assert [body["title"].split(":")[0] for body in bodies] == [
        "region EU, product shoes", "Recovered",
    ]  # fmt: skip
    assert "28 of 84 customers" in bodies[0]["text"]  # as it was then, whatever came since
    assert "Resolved" not in bodies[0]["text"]


async def test_alertmanager_is_told_again_while_it_fires_and_then_that_it_is_over(
    stage: Stage, receiver: Receiver
) -> None:
    manager = stage.add("ops", receiver.url, "alertmanager")
    alert = fresh()
    await stage.tell((alert, Change.OPENED))

    await manager.turn()
    await manager.turn()  # not yet again
    stage.now += REPEAT
    await manager.turn()
    await stage.tell((alert.end(State.RESOLVED, stage.now, stage.now), Change.RESOLVED))
    await manager.turn()
    stage.now += 2 * REPEAT
    await manager.turn()

    ends = [body[0]["endsAt"][:19] for body in receiver.bodies()]
    assert ends == [(NOON + timedelta(minutes=minutes)).isoformat()[:19] for minutes in (5, 6, 1)]
    assert {json.dumps(body[0]["labels"]) for body in receiver.bodies()} == {
        json.dumps(receiver.bodies()[0][0]["labels"])
    }
    assert await stage.states() == [("ops", "sent", 0)]


async def test_a_destination_that_fails_is_tried_again_later(
    stage: Stage, receiver: Receiver
) -> None:
    receiver.statuses += [503, 503]
    hook = stage.add("hook", receiver.url, "webhook")
    await stage.tell((fresh(), Change.OPENED))

    for seconds in (0, 0, 1, 1, 2):
        stage.now += timedelta(seconds=seconds)
        await hook.turn()

    assert len(receiver.got) == 3
    assert {headers["webhook-id"] for _, headers, _ in receiver.got} == {"a-1.1"}
    assert await stage.states() == [("hook", "sent", 0)]
    assert hook.fault is None


async def test_a_destination_that_refuses_has_a_dead_letter_of_its_own(
    stage: Stage, receiver: Receiver
) -> None:
    receiver.statuses += [400]
    hook = stage.add("hook", receiver.url, "webhook")
    dead = stage.add("dead", "http://127.0.0.1:9", "webhook")
    await stage.tell((fresh(), Change.OPENED))

    await dead.turn()
    await hook.turn()
    stage.now += GIVE_UP
    await dead.turn()

    assert await stage.states() == [("dead", "dead", 2), ("hook", "dead", 1)]
    assert dead.fault is not None


async def test_a_dead_destination_delays_nobody(stage: Stage, receiver: Receiver) -> None:
    dead = stage.add("dead", "http://127.0.0.1:9", "alertmanager")
    manager = stage.add("ops", receiver.url, "alertmanager")
    await stage.tell((fresh(), Change.OPENED))

    await manager.turn()
    assert len(receiver.got) == 1
    await dead.turn()
    stage.now += GIVE_UP + timedelta(hours=1)  # it fires on, so it is tried on
    await dead.turn()

    assert (await stage.states())[0] == ("dead", "pending", 2)


async def test_one_alert_that_is_refused_spoils_no_other(stage: Stage, receiver: Receiver) -> None:
    receiver.statuses += [400, 400, 200]
    manager = stage.add("ops", receiver.url, "alertmanager")
    await stage.tell((fresh(), Change.OPENED), (fresh(id="a-2"), Change.OPENED))

    await manager.turn()

    assert sorted(state for _, state, _ in await stage.states()) == ["dead", "pending"]


async def test_the_end_of_an_alert_is_told_before_the_next_of_its_segment(
    stage: Stage, receiver: Receiver
) -> None:
    manager = stage.add("ops", receiver.url, "alertmanager")
    first = fresh(id="a-9", opened_at=NOON - timedelta(hours=2))
    await stage.tell(
        (first.end(State.RESOLVED, NOON - timedelta(hours=1), NOON), Change.RESOLVED),
        (fresh(id="a-1"), Change.OPENED),
    )

    await manager.turn()

    (body,) = receiver.bodies()  # to Alertmanager both are one alert: the last word counts
    assert [alert["annotations"]["alert_id"] for alert in body] == ["a-9", "a-1"]


async def test_what_a_dead_sender_had_claimed_is_sent_by_another(
    stage: Stage, receiver: Receiver
) -> None:
    hook = stage.add("hook", receiver.url, "webhook")
    await stage.tell((fresh(), Change.OPENED))
    assert len(await stage.outbox.claim(hook.to, 8, stage.now)) == 1  # and then it dies

    await hook.turn()
    assert receiver.got == []
    stage.now += LEASE
    await hook.turn()

    assert len(receiver.got) == 1
