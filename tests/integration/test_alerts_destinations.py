"""A destination that answers 410 is told nothing more, until a person says that it is mended."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from services.alerts.api import build_destinations
from services.alerts.domain.alerts import Change
from services.alerts.domain.deliveries import GIVE_UP
from services.alerts.metrics import REGISTRY
from services.alerts.worker.delivering import Delivering
from tests.support.alerts_stage import Stage, asked_over_http, fresh, receiver, stage
from tests.support.receivers import Receiver, open_receiver

__all__ = ["receiver", "stage"]
ANNE = {"by": "anne"}


@pytest.fixture
def hook(stage: Stage, receiver: Receiver) -> Delivering:
    return stage.add("hook", f"{receiver.url}/in?key=secret", "webhook")


@pytest.fixture
async def http(stage: Stage, hook: Delivering) -> AsyncIterator[httpx.AsyncClient]:
    router = build_destinations(stage.engine, {"hook": hook.to}, stage.clock)
    async with asked_over_http(router) as http:
        yield http


async def fall_silent(stage: Stage, receiver: Receiver, hook: Delivering) -> None:
    receiver.statuses += [410]
    await stage.tell((fresh(), Change.OPENED))
    await hook.turn()


def shown() -> float | None:
    return REGISTRY.get_sample_value("earshot_alerts_destination_disabled", {"destination": "hook"})


@pytest.mark.parametrize("kind", ["webhook", "alertmanager"])
async def test_after_one_410_nobody_sends_any_more(
    stage: Stage, receiver: Receiver, kind: str
) -> None:
    hook = stage.add("hook", receiver.url, kind)
    await fall_silent(stage, receiver, hook)
    other = stage.add("hook", receiver.url, kind)  # another process
    await stage.tell((fresh(id="a-2"), Change.OPENED))

    for _ in range(5):
        stage.now += timedelta(hours=1)
        await hook.turn()
        await other.turn()

    assert len(receiver.got) == 1
    assert {state for _, state, _ in await stage.states()} == {"pending"}
    for one in (hook, other):
        assert "answered 410; POST /v1/destinations/hook/enable" in (one.why_not_told() or "")
    assert shown() == 1


async def test_what_waited_is_told_when_a_person_enables_it_again(
    stage: Stage, receiver: Receiver, hook: Delivering, http: httpx.AsyncClient
) -> None:
    await fall_silent(stage, receiver, hook)
    await stage.tell((fresh(id="a-2"), Change.OPENED))
    (before,) = (await http.get("/v1/destinations")).json()["items"]

    stage.now += 2 * GIVE_UP  # it was disabled for longer than a message is tried
    reply = await http.post("/v1/destinations/hook/enable", json=ANNE)
    receiver.statuses += [503, 503]
    for _ in range(3):
        await hook.turn()
        stage.now += timedelta(seconds=1)

    assert (before["address"], before["waiting"]) == (receiver.url, 2)  # not its secret path
    assert before["disabled_at"] is not None
    assert (reply.status_code, reply.json()["disabled_at"]) == (200, None)
    ids = [headers["webhook-id"] for _, headers, _ in receiver.got]
    assert (ids[0], sorted(ids[1:])) == ("a-1.1", ["a-1.1", "a-1.1", "a-2.1", "a-2.1"])
    assert {state for _, state, _ in await stage.states()} == {"sent"}
    assert hook.why_not_told() is None
    assert shown() == 0


async def test_a_new_address_is_another_destination(
    stage: Stage, receiver: Receiver, hook: Delivering
) -> None:
    await fall_silent(stage, receiver, hook)

    moved = stage.add("hook", f"{receiver.url}/moved", "webhook")
    await moved.turn()

    assert [path for path, _, _ in receiver.got] == ["/in?key=secret", "/moved"]
    assert await stage.states() == [("hook", "sent", 0)]


async def test_only_what_is_disabled_can_be_enabled(http: httpx.AsyncClient) -> None:
    assert (await http.post("/v1/destinations/hook/enable", json=ANNE)).status_code == 409
    assert (await http.post("/v1/destinations/nobody/enable", json=ANNE)).status_code == 404
    assert (await http.post("/v1/destinations/hook/enable", json={})).status_code == 422


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
