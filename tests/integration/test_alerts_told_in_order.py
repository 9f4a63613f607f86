"""The changes of one alert are told in their order, also by two processes and after failures."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from services.alerts.domain.alerts import Alert, Change
from services.alerts.domain.deliveries import GIVE_UP
from services.alerts.store.outbox import LEASE
from services.alerts.worker.delivering import Delivering
from tests.support.alerts_stage import Stage, fresh, receiver, stage
from tests.support.receivers import Receiver

__all__ = ["receiver", "stage"]


def changes(alert: Alert, number: int) -> list[tuple[Alert, Change]]:
    found = [(alert, Change.OPENED)]
    for _ in range(number - 1):
        found.append((found[-1][0].revised(found[-1][0].updated_at), Change.UPDATED))
    return found


def two_workers(stage: Stage, url: str, kind: str) -> tuple[Delivering, Delivering]:
    """Two processes that deliver to the same destination."""
    return stage.add("to", url, kind), stage.add("to", url, kind)


def revisions(requests: list[tuple[str, dict[str, str], bytes]]) -> dict[str, list[int]]:
    """By alert, the revisions in the order in which they came."""
    found: dict[str, list[int]] = {}
    for _, _, body in requests:
        alert, revision = _place(body)
        found.setdefault(alert, []).append(revision)
    return found


def _place(body: bytes) -> tuple[str, int]:
    said: dict[str, Any] = json.loads(body)
    if "revision" in said:
        return said["id"], said["revision"]
    *_, alert, _, revision = said["blocks"][-1]["elements"][0]["text"].split()
    return alert, int(revision)


@pytest.mark.parametrize("kind", ["webhook", "slack"])
async def test_two_processes_and_failing_tries_keep_the_order_of_each_alert(
    stage: Stage, receiver: Receiver, kind: str
) -> None:
    workers = two_workers(stage, receiver.url, kind)
    receiver.statuses += [503, 200, 503, 503, 200, 200, 503]
    receiver.pause = lambda: 0.01 * (len(receiver.got) % 3)
    alerts = ("a-1", "a-2", "a-3")
    await stage.tell(*(one for name in alerts for one in changes(fresh(id=name), 5)))

    while any(state == "pending" for _, state, _ in await stage.states()):
        await asyncio.gather(*(one.turn() for one in workers))
        stage.now += timedelta(seconds=1)

    assert revisions(receiver.taken()) == {name: [1, 2, 3, 4, 5] for name in alerts}
    tried = revisions(receiver.got)
    assert all(each == sorted(each) for each in tried.values())


async def test_a_change_waits_while_another_process_tries_the_one_before(
    stage: Stage, receiver: Receiver
) -> None:
    dead, alive = two_workers(stage, receiver.url, "webhook")
    await stage.tell(*changes(fresh(), 2), *changes(fresh(id="a-2"), 1))
    claimed = await stage.outbox.claim(dead.to, 1, stage.now)  # and then it dies
    assert [(one.alert.id, one.revision) for one in claimed] == [("a-1", 1)]

    for _ in range(3):
        await alive.turn()
    assert revisions(receiver.taken()) == {"a-2": [1]}
    stage.now += LEASE
    for _ in range(3):
        await alive.turn()

    assert revisions(receiver.taken()) == {"a-2": [1], "a-1": [1, 2]}


async def test_what_is_given_up_holds_up_nothing(stage: Stage, receiver: Receiver) -> None:
    hook = stage.add("hook", receiver.url, "webhook")
    receiver.statuses += [503, 400]
    await stage.tell(*changes(fresh(), 2))

    await hook.turn()
    assert len(receiver.got) == 1
    stage.now += GIVE_UP / 2
    await hook.turn()
    await hook.turn()

    assert revisions(receiver.taken()) == {"a-1": [2]}
    assert [state for _, state, _ in await stage.states()] == ["dead", "sent"]
