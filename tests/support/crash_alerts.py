"""Alerts is killed between the first minute that it closes and the last word that it tells."""

import asyncio
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.events import Topic
from shared.failpoints import Point
from shared.stream import Outgoing
from shared.wire import encode
from tests.support.alerts import scored
from tests.support.crash_letters import SECRET
from tests.support.crash_site import Site
from tests.support.load import write_programme
from tests.support.receivers import Receiver, open_receiver
from tests.support.tally import until_settled

STEPS = (
    Point.MINUTES_CLOSED,
    Point.JUDGED,
    Point.ALERT_WRITTEN,
    Point.ALERT_COMMITTED,
    Point.OUTBOX_PRODUCED,
    Point.OUTBOX_MARKED,
    Point.CLAIMED,
    Point.SENT,
    Point.MARKED,
)
_QUIET_S = 3.0  # the judge looks on: a second alert of the same fault would come up now
_UNTOLD = """
    SELECT 1 WHERE NOT EXISTS (SELECT FROM alerts.alerts)
    UNION ALL SELECT 1 FROM alerts.changes WHERE NOT published
    UNION ALL SELECT 1 FROM alerts.deliveries
        WHERE state = 'pending' AND (destination = 'hook' OR attempts > 0)
"""
_MARKED = """
    SELECT 1 FROM alerts.deliveries WHERE attempts = 0 AND (state = 'sent' OR next_at > since)
"""
_MARKED_HOOKS = """
    SELECT alert_id, revision FROM alerts.deliveries WHERE destination = 'hook' AND state = 'sent'
"""
_LEASE_OVER = """
    UPDATE alerts.deliveries SET next_at = next_at - interval '2 minutes'
    WHERE state = 'pending' RETURNING key
"""


def fault(now: datetime) -> list[Outgoing]:
    """Two calm days, then an hour in which EU x shoes goes wrong, until now."""
    start = now - timedelta(days=2)
    regions, products = ("EU", "US"), ("hats", "shoes")
    calm = [
        scored(i, start + timedelta(minutes=2 * i), detractor=i % 10 == 0,
               segments={"region": regions[i % 2], "product": products[i // 2 % 2]})
        for i in range(1410)
    ]  # fmt: skip
    bad = [
        scored(5_000 + i, now - timedelta(minutes=60 - i / 2), detractor=i % 4 != 0)
        for i in range(120)
    ]
    answers = [*calm, *bad]
    return [Outgoing(Topic.SCORED_RESPONSES, a.id.encode(), encode(a)) for a in answers]


async def judge(site: Site) -> str:
    """One fault is one alert, told to each destination; what is told twice has the same id."""
    async with open_receiver() as receiver:
        programme = write_programme(site.fleet.var / "programme", ("region", "product"))
        (programme / "alerts.yaml").write_text(
            f"destinations:\n  ops: {{kind: alertmanager, url: '{receiver.url}'}}\n"
            f"  hook: {{kind: webhook, url: '{receiver.url}/hook'}}\n"
        )
        settings = {"PROGRAMME": str(programme), "ALERTS_WEBHOOK_SECRET": SECRET}
        replica = site.fleet.add("alerts", **{f"EARSHOT_{k}": v for k, v in settings.items()})
        await site.feed(fault(datetime.now(UTC)))
        await site.die(replica)
        early = len(_hooks(receiver))
        await _check_truth(site, receiver)
        marked = {f"{alert}.{n}" for alert, n in await site.rows(_MARKED_HOOKS)}
        heard = [id_ for id_, _ in _hooks(receiver) if id_ in marked]

        await site.rows(_LEASE_OVER)
        await site.revive(replica)
        await until_settled(site.fleet, "alerts", Topic.SCORED_RESPONSES)
        await site.until_none(_UNTOLD)
        await asyncio.sleep(_QUIET_S)
        await site.until_none(_UNTOLD)
        ((alert, revision),) = await site.rows("SELECT id, revision FROM alerts.alerts")
        again = _check_hooks(receiver, alert, revision)
        assert [id_ for id_, _ in _hooks(receiver) if id_ in marked] == heard
        repeated = await _check_published(site, alert, revision)
    return f"1 alert, {early} told before, {again} told again, {repeated} published again"


def _hooks(receiver: Receiver) -> list[tuple[str, dict[str, Any]]]:
    """Id and contents of what the webhook was told."""
    bodies = zip(receiver.got, receiver.bodies(), strict=True)
    return [(headers["webhook-id"], b) for (path, headers, _), b in bodies if path == "/hook"]


async def _check_truth(site: Site, receiver: Receiver) -> None:
    """What the step says of itself holds when the process has died there."""
    rows = await site.rows("SELECT closed_to, judged_to FROM alerts.lines")
    closed, judged = any(row[0] > row[1] for row in rows), any(row[1] for row in rows)
    alerts = await site.rows("SELECT id FROM alerts.alerts")
    published = await site.rows("SELECT 1 FROM alerts.changes WHERE published")
    marked = await site.rows(_MARKED)
    told = await site.records(Topic.DETRACTOR_ALERTS)
    claimed = await site.rows("SELECT 1 FROM alerts.deliveries WHERE attempts > 0")
    holds = {
        Point.MINUTES_CLOSED: closed and not judged,
        Point.JUDGED: closed and not judged,
        Point.ALERT_WRITTEN: not alerts and not receiver.got,
        Point.ALERT_COMMITTED: alerts and not receiver.got,
        Point.OUTBOX_PRODUCED: told and not published,
        Point.OUTBOX_MARKED: told and published,
        Point.CLAIMED: claimed,
        Point.SENT: claimed and receiver.got,
        Point.MARKED: receiver.got and marked,
    }
    assert holds[site.point], f"{site.point}: {rows} {alerts} {receiver.got}"


def _check_hooks(receiver: Receiver, alert: str, revision: int) -> int:
    """Every revision came under an id of its own, always with the same contents."""
    contents: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for id_, body in _hooks(receiver):
        contents[id_].append(body)
    assert set(contents) == {f"{alert}.{n}" for n in range(1, revision + 1)}
    assert all(each.count(each[0]) == len(each) for each in contents.values())
    manager = [body[0]["labels"] for body in receiver.bodies() if isinstance(body, list)]
    assert manager
    assert manager.count(manager[0]) == len(manager)
    return sum(len(each) - 1 for each in contents.values())


async def _check_published(site: Site, alert: str, revision: int) -> int:
    records = await site.told(Topic.DETRACTOR_ALERTS)
    assert {(one["id"], one["revision"]) for one in records} == {
        (alert, n) for n in range(1, revision + 1)
    }
    unique = [one for number, one in enumerate(records) if one not in records[:number]]
    assert len(unique) == revision
    return len(records) - revision
