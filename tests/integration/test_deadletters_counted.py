"""A replayed record takes effect once, however often it is sent back, and counts its failures."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from services.scoring.app import open_service
from services.scoring.settings import ScoringSettings
from services.trigger.app import open_service as open_trigger
from services.trigger.settings import TriggerSettings
from shared.cloudevents import to_structured
from shared.events import ScoredResponse, SurveyDecision, Topic
from shared.process import Service
from shared.stream import Broker, KafkaUnavailable, Outgoing
from shared.wire import decoder
from tests.support.embedded import execute
from tests.support.kafka import on_both
from tests.support.letters import RESPONSES, deadletters, held, put
from tests.support.scoring import record, response
from tests.support.trigger import ROOT, call_ended

Said = pytest.CaptureFixture[str]
BY_REASON = ("replay", "--reason", "database")
BROKEN = "ALTER TABLE scoring.answers ADD CONSTRAINT broken CHECK (score <> 3)"
MENDED = "ALTER TABLE scoring.answers DROP CONSTRAINT broken"


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    stop = asyncio.Event()
    workers = [asyncio.ensure_future(worker(stop)) for worker in service.workers]
    web = httpx.ASGITransport(service.web)
    try:
        async with httpx.AsyncClient(transport=web, base_url="http://service") as client:
            yield client
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.gather(*workers), 10)


def environment(database_url: str, broker: Broker) -> dict[str, Any]:
    return {
        "kafka_bootstrap": broker.bootstrap,
        "kafka_log": broker.log,
        "kafka_topic_prefix": broker.prefix,
        "kafka_embedded": broker.embedded,
        "database_url": SecretStr(database_url),
        "programme": ROOT / "programme",
    }


async def letters(broker: Broker, capsys: Said, number: int, failures: int) -> dict[str, Any]:
    """The one group, once it has so many letters that failed so often."""
    async with asyncio.timeout(20):
        while True:
            await asyncio.sleep(0.05)
            capsys.readouterr()
            with suppress(KafkaUnavailable):  # the topic is made by the first letter
                await deadletters(broker, "list", "--json")
            groups = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
            if groups and (groups[0]["letters"], groups[0]["failures"]) == (number, failures):
                (group,) = groups
                return dict(group)


async def sent_back(broker: Broker, capsys: Said, *arguments: str) -> int:
    capsys.readouterr()
    assert await deadletters(broker, *arguments, "--json") == 0
    return sum(json.loads(line)["sent"] for line in capsys.readouterr().out.splitlines())


async def counted(client: httpx.AsyncClient) -> tuple[int, Counter[str]]:
    """How many answers the score has, and each answer's id as often as it is listed."""
    score = (await client.get("/v1/scores?metric=nps&window=1h")).json()["groups"]
    listed = (await client.get("/v1/responses?metric=nps&window=1h&limit=500")).json()["items"]
    return sum(group["n"] for group in score), Counter(item["id"] for item in listed)


async def until_counted(client: httpx.AsyncClient, number: int) -> None:
    async with asyncio.timeout(20):
        while (await counted(client))[0] < number:
            await asyncio.sleep(0.02)


def answers(keys: Iterable[str], score: int) -> list[Outgoing]:
    at = datetime.now(UTC) - timedelta(minutes=5)
    records = [record(response(key, score, answered_at=at, received_at=at)) for key in keys]
    return [Outgoing(one.topic, one.key, one.value) for one in records]


@on_both
async def test_an_answer_is_counted_once_however_often_it_is_sent_back(
    fresh_database_url: str, broker: Broker, capsys: Said
) -> None:
    bad, good = [f"bad-{n}" for n in range(4)], [f"good-{n}" for n in range(6)]
    settings = ScoringSettings(**environment(fresh_database_url, broker))
    async with open_service(settings) as service, running(service) as client:
        await execute(fresh_database_url, BROKEN)
        await put(broker, *answers(bad, 3), *answers(good, 9))
        await letters(broker, capsys, 4, failures=1)
        await until_counted(client, 6)

        assert await sent_back(broker, capsys, *BY_REASON) == 4  # nobody has mended the cause
        assert (await letters(broker, capsys, 4, failures=2))["replayed"] == 4
        assert await counted(client) == (6, Counter(good))

        await execute(fresh_database_url, MENDED)
        assert await sent_back(broker, capsys, *BY_REASON) == 4
        await until_counted(client, 10)
        assert (await letters(broker, capsys, 0, failures=0))["replayed"] == 8
        assert await sent_back(broker, capsys, *BY_REASON) == 0
        assert await counted(client) == (10, Counter(bad + good))

        assert await sent_back(broker, capsys, *BY_REASON, "--again") == 8
        behind = [f"behind-{n}" for n in range(40)]  # in every partition
        await put(broker, *answers(behind, 9))
        await until_counted(client, 50)
        assert await counted(client) == (50, Counter(bad + good + behind))

    read = decoder(ScoredResponse)
    told = [read.decode(one.value or b"") for one in await held(broker, Topic.SCORED_RESPONSES)]
    versions = {(one.id, one.version) for one in told}
    assert Counter(key for key, _ in versions) == Counter(bad + good + behind)
    assert len([one for one in await held(broker, RESPONSES) if one.key == b"bad-0"]) == 5


@on_both
@pytest.mark.thorough
async def test_an_event_asks_once_however_often_it_is_sent_back(
    fresh_database_url: str, broker: Broker, capsys: Said, tmp_path: Path
) -> None:
    token_keys = SecretStr("0123456789abcdef0123456789abcdef")
    common = environment(fresh_database_url, broker)
    settings = TriggerSettings(**common, token_keys=token_keys, var=tmp_path)
    alter = "ALTER TABLE trigger.decisions"
    async with open_trigger(settings) as service, running(service):
        await execute(fresh_database_url, f"{alter} ADD CONSTRAINT b CHECK (event_id <> 'evt-2')")
        await put(broker, *[call(n, n) for n in range(4)])
        await letters(broker, capsys, 1, failures=1)
        await execute(fresh_database_url, f"{alter} DROP CONSTRAINT b")

        assert await sent_back(broker, capsys, *BY_REASON) == 1
        assert await sent_back(broker, capsys, *BY_REASON) == 0
        for _ in range(2):
            assert await sent_back(broker, capsys, *BY_REASON, "--again") == 1
        await put(broker, call(9, 2))  # behind the replays
        async with asyncio.timeout(20):
            while "evt-9" not in (asked := await decided(broker)):
                await asyncio.sleep(0.05)
        async with asyncio.timeout(20):
            while len(mails := list((tmp_path / "mail").glob("*.eml"))) < 5:
                await asyncio.sleep(0.02)

    assert asked == {f"evt-{n}": ["asked"] for n in (0, 1, 2, 3, 9)}
    assert len(mails) == 5
    assert len([one for one in await held(broker, Topic.SUPPORT_CALLS) if one.key == b"2"]) == 5


def call(number: int, customer: int) -> Outgoing:
    """The end of a call, with a header that has no content."""
    at = datetime.now(UTC) - timedelta(seconds=1)
    event = to_structured(call_ended(number, at=at, customer={"id": f"c-{customer}"}))
    headers = (("content-type", b"application/cloudevents+json"), ("nothing", None))
    return Outgoing(Topic.SUPPORT_CALLS, b"%d" % customer, event, headers)


async def decided(broker: Broker) -> dict[str, list[str]]:
    """The reasons of each event's decisions, each decision once however often it was told."""
    read, found = decoder(SurveyDecision), {}
    for one in await held(broker, Topic.SURVEY_DECISIONS):
        decision = read.decode(one.value or b"")
        found[decision.event_id, decision.trigger, decision.decided_at] = decision.reason
    reasons: dict[str, list[str]] = {}
    for (event_id, _, _), reason in found.items():
        reasons.setdefault(event_id, []).append(reason)
    return reasons
