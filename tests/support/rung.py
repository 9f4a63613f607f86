"""Faults that ring: lines of answers that turn unhappy, and who is told of it."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from shared.events import Topic
from shared.stream import Outgoing
from shared.stream.kafka import open_producer, read_all
from shared.wire import encode
from tests.support.alerts import scored
from tests.support.fleet import Fleet, Replica
from tests.support.load import write_programme
from tests.support.receivers import Receiver
from tests.support.tally import connect

SECRET = "whsec_" + "c2VjcmV0" * 4
_CALM = timedelta(days=2)
_WAITING = (
    "SELECT (SELECT count(*) FROM alerts.changes WHERE NOT published)"
    " + (SELECT count(*) FROM alerts.deliveries WHERE state = 'pending' AND destination = 'hook')"
)
Change = tuple[str, int]  # alert and revision


def write_ringing_programme(folder: Path, **destinations: str) -> Path:
    """Destinations by name, `ops` an Alertmanager and all others webhooks."""
    write_programme(folder, ("region", "product"))
    lines = [
        f"  {name}: {{kind: {'alertmanager' if name == 'ops' else 'webhook'}, url: '{url}'}}"
        for name, url in destinations.items()
    ]
    (folder / "alerts.yaml").write_text("\n".join(["destinations:", *lines, ""]))
    return folder


async def ring(fleet: Fleet, lines: int, now: datetime) -> None:
    """So many surveys, calm for two days, in each of which EU x shoes goes wrong an hour ago."""
    async with open_producer(fleet.broker) as producer:
        for line in range(lines):
            await producer.send(_line(line, now))


def _line(line: int, now: datetime) -> list[Outgoing]:
    regions, products = ("EU", "US"), ("hats", "shoes")
    first, survey = line * 10_000, f"survey-{line}"
    calm = [
        scored(first + i, now - _CALM + timedelta(minutes=2 * i), detractor=i % 10 == 0,
               survey=survey,
               segments={"region": regions[i % 2], "product": products[i // 2 % 2]})
        for i in range(1410)
    ]  # fmt: skip
    bad = [
        scored(first + 5_000 + i, now - timedelta(minutes=60 - i / 2), detractor=i % 4 != 0,
               survey=survey)
        for i in range(120)
    ]  # fmt: skip
    answers = [*calm, *bad]
    return [Outgoing(Topic.SCORED_RESPONSES, a.id.encode(), encode(a)) for a in answers]


async def until_open(replica: Replica, number: int, within_s: float = 60.0) -> list[str]:
    """Wait until so many alerts are open; return their ids."""
    async with asyncio.timeout(within_s):
        while len(found := (await replica.get("/v1/alerts", state="open"))["items"]) < number:
            await asyncio.sleep(0.2)
    return [alert["id"] for alert in found]


async def decide(replicas: Sequence[Replica], alert: str, verb: str, note: str) -> Change | None:
    """Have somebody decide on an alert; None where no answer came, and nobody knows."""
    for replica in replicas:
        try:
            reply = await replica.http.post(
                f"{replica.url}/v1/alerts/{alert}/{verb}",
                json={"by": "anne", "note": note}, timeout=5,
            )  # fmt: skip
        except httpx.ConnectError:
            continue
        except httpx.HTTPError:
            return None
        assert reply.status_code == httpx.codes.OK, reply.text
        return reply.json()["id"], reply.json()["revision"]
    return None


async def published(fleet: Fleet) -> set[Change]:
    """Every change of every alert that somebody is to be told."""
    topic = f"{fleet.prefix}{Topic.DETRACTOR_ALERTS}"
    records = await read_all(fleet.ground.kafka.bootstrap, topic)
    bodies = [json.loads(record.value or b"{}") for record in records]
    return {(body["id"], body["revision"]) for body in bodies if not body["historic"]}


def told(receiver: Receiver) -> dict[Change, list[dict[str, Any]]]:
    """What a receiver took, by the key that it came under; each repetition."""
    found: defaultdict[Change, list[dict[str, Any]]] = defaultdict(list)
    for _, headers, body in receiver.taken():
        alert, _, revision = headers["webhook-id"].rpartition(".")
        found[alert, int(revision)].append(json.loads(body))
    return dict(found)


async def until_told(fleet: Fleet, within_s: float = 90.0) -> None:
    """Wait until every change is published and the webhook has been told of it."""
    connection = await connect(fleet.database_url)
    try:
        async with asyncio.timeout(within_s):
            while await connection.fetchval(_WAITING):
                await asyncio.sleep(0.1)
    finally:
        await connection.close()


async def firing(manager: httpx.AsyncClient) -> Counter[str]:
    """What Alertmanager shows, by the id in the annotations."""
    alerts = (await manager.get("/api/v2/alerts")).json()
    return Counter(alert["annotations"]["alert_id"] for alert in alerts)


async def until_firing(manager: httpx.AsyncClient, expected: set[str]) -> Counter[str]:
    try:
        async with asyncio.timeout(30):
            while (shown := await firing(manager)) != Counter(expected):
                await asyncio.sleep(0.2)
    except TimeoutError:
        shown = await firing(manager)
    return shown
