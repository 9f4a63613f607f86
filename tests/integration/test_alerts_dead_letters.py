"""What a destination would not take: listed, sent again or dropped, counted and named."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from services.alerts.api import build_audit, build_destinations, build_router
from services.alerts.domain.alerts import Change, State
from services.alerts.metrics import REGISTRY
from services.alerts.worker.delivering import Delivering
from tests.support.alerts_stage import Stage, asked_over_http, fresh, receiver, stage
from tests.support.receivers import Receiver
from tests.support.schemas import check_reply

__all__ = ["receiver", "stage"]
ANNE = {"by": "anne", "note": "mended"}


@pytest.fixture
async def http(stage: Stage) -> AsyncIterator[httpx.AsyncClient]:
    stage.add("team", "http://127.0.0.1:9/T0/verysecret", "slack")
    stage.add("hook", "http://127.0.0.1:9", "webhook")
    addressees = {name: one.to for name, one in stage.deliverings.items()}
    routers = (
        build_router(stage.engine, {}, stage.clock),
        build_destinations(stage.engine, addressees, stage.clock),
        build_audit(stage.engine),
    )
    async with asked_over_http(*routers) as http:
        yield http


async def refuse(stage: Stage, receiver: Receiver) -> Delivering:
    """Two alerts that the webhook refuses for good."""
    hook = stage.add("hook", receiver.url, "webhook")
    receiver.statuses += [400, 422]
    await stage.tell((fresh(), Change.OPENED), (fresh(id="a-2"), Change.OPENED))
    await hook.turn()
    return hook


def shown() -> float | None:
    return REGISTRY.get_sample_value("earshot_alerts_dead_letters", {"destination": "hook"})


async def test_dead_letters_are_listed_page_by_page_counted_and_named(
    stage: Stage, receiver: Receiver, http: httpx.AsyncClient
) -> None:
    hook = await refuse(stage, receiver)

    where = "/v1/destinations/hook/dead-letters"
    first = (await http.get(where, params={"limit": "1"})).json()
    second = (await http.get(where, params={"limit": "1", "cursor": first["next"]})).json()

    seen = [*first["items"], *second["items"]]
    assert second["next"] is None
    assert sorted((one["alert_id"], one["revision"], one["attempts"]) for one in seen) == [
        ("a-1", 1, 1), ("a-2", 1, 1),
    ]  # fmt: skip
    assert {one["detail"] for one in seen} == {
        "the webhook answered 400",
        "the webhook answered 422",
    }
    assert "2 given up: /v1/destinations/hook/dead-letters" in (hook.why_not_told() or "")
    assert shown() == 2
    reply = await http.get("/v1/destinations")
    check_reply(http, reply)
    items = {one["name"]: one for one in reply.json()["items"]}
    assert (items["hook"]["dead"], items["team"]["dead"]) == (2, 0)
    assert items["team"]["address"] == "http://127.0.0.1:9"
    assert "verysecret" not in reply.text


async def test_they_are_sent_again_or_dropped_and_that_is_in_the_audit_trail(
    stage: Stage, receiver: Receiver, http: httpx.AsyncClient
) -> None:
    hook = await refuse(stage, receiver)
    where = "/v1/destinations/hook/dead-letters"

    retried = await http.post(f"{where}/retry", json=ANNE | {"alert_id": "a-1"})
    dropped = await http.post(f"{where}/drop", json=ANNE)
    await hook.turn()
    await hook.turn()

    assert (retried.json(), dropped.json()) == ({"letters": 1}, {"letters": 1})
    assert [headers["webhook-id"] for _, headers, _ in receiver.got[2:]] == ["a-1.1"]
    assert (await http.get(where)).json()["items"] == []
    assert (hook.why_not_told(), shown()) == (None, 0)
    audit = (await http.get("/v1/audit", params={"subject": "hook", "by": "anne"})).json()["items"]
    assert [(one["action"], one["detail"]["letters"]) for one in audit] == [
        ("dead-letters-dropped", 1), ("dead-letters-retried", 1),
    ]  # fmt: skip
    assert (await http.get("/v1/destinations/nobody/dead-letters")).status_code == 404
    assert (await http.post(f"{where}/retry", json={})).status_code == 422


async def test_slack_is_left_alone_for_as_long_as_it_asks(stage: Stage) -> None:
    posts: list[httpx.Request] = []
    limits = [httpx.Response(429, headers={"retry-after": "40"})]

    def answer(request: httpx.Request) -> httpx.Response:
        posts.append(request)
        return limits.pop() if limits else httpx.Response(200, text="ok")

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        stage.client = client
        team = stage.add("team", "https://hooks.slack.example/T0/verysecret", "slack")
        await stage.tell((fresh(), Change.OPENED), (fresh(id="a-2"), Change.OPENED))
        for seconds in (0, 1, 1, 20, 17):
            stage.now += timedelta(seconds=seconds)
            while await team.turn():
                pass
        assert len(posts) == 1
        stage.now += timedelta(seconds=2)
        while await team.turn():
            pass

    assert len(posts) == 3
    assert {state for _, state, _ in await stage.states()} == {"sent"}


async def test_a_webhook_that_slack_does_not_know_any_more_disables_the_destination(
    stage: Stage, receiver: Receiver, http: httpx.AsyncClient
) -> None:
    team = stage.add("team", f"{receiver.url}/T0/verysecret", "slack")
    receiver.statuses += [404]
    await stage.tell((fresh(), Change.OPENED))
    while await team.turn():
        pass

    assert "Slack answered 404" in (team.why_not_told() or "")
    async with stage.engine.connect() as connection:
        rows = (await connection.exec_driver_sql("SELECT url, detail FROM disabled")).all()
    assert "verysecret" not in str(rows)
    audit = await http.get("/v1/audit", params={"action": "destination-disabled"})
    assert [(one["by"], one["subject"]) for one in audit.json()["items"]] == [(None, "team")]


async def test_every_revision_of_an_alert_says_who_changed_what(
    stage: Stage, http: httpx.AsyncClient
) -> None:
    alert = fresh()
    await stage.tell((alert, Change.OPENED))
    await http.post("/v1/alerts/a-1/acknowledge", json=ANNE)
    stage.now += timedelta(minutes=1)
    await http.post("/v1/alerts/a-1/resolve", json={"by": "bo"})

    seen, query = [], {"limit": "2"}
    while True:
        page = (await http.get("/v1/alerts/a-1/changes", params=query)).json()
        seen += page["items"]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]

    assert [(one["revision"], one["change"], one["by"], one["note"]) for one in seen] == [
        (1, "opened", None, None), (2, "acknowledged", "anne", "mended"),
        (3, "resolved", "bo", None),
    ]  # fmt: skip
    assert seen[0]["changed"] == {}
    assert seen[1]["changed"]["state"] == {"before": "open", "after": "acknowledged"}
    assert sorted(seen[2]["changed"]) == ["closed", "resolved_at", "state"]
    assert seen[2]["changed"]["state"]["after"] == State.RESOLVED
    trail = (await http.get("/v1/audit", params={"subject": "a-1", "limit": 1})).json()
    assert [(one["by"], one["action"]) for one in trail["items"]] == [("bo", "alert-resolved")]
    older = {"subject": "a-1", "cursor": trail["next"], "to": stage.now.isoformat()}
    rest = (await http.get("/v1/audit", params=older)).json()
    assert [one["action"] for one in rest["items"]] == ["alert-acknowledged", "alert-opened"]
    assert (await http.get("/v1/alerts/none/changes")).status_code == 404
    for query in ({"cursor": "x"}, {"subjekt": "a-1"}, {"from": "monday"}):
        assert (await http.get("/v1/audit", params=query)).status_code == 422
