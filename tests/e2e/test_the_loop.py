"""The system as a user meets it: started by one command, asked, answered, killed, started again."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import make_url

from shared.embedded.system import running
from shared.stream import Broker, Outgoing
from shared.stream.kafka import open_producer
from tests.support.asked import call_ended, link_in, mail_to
from tests.support.kafka import REAL, whole_on_both
from tests.support.system import ROOT, System, open_system

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


@pytest.fixture
async def system(tmp_path: Path, kafka: dict[str, str]) -> AsyncIterator[System]:
    async with open_system(tmp_path / "var", **kafka) as system:
        await system.start()
        yield system


async def group(system: System, **params: str) -> dict[str, Any]:
    reply = await system.get("scoring", "/v1/scores", metric="csat", window="24h", **params)
    return next(iter(reply["groups"]), {"n": 0, "invited": 0})


async def until_group(system: System, within_s: float, n: int, **params: str) -> dict[str, Any]:
    async with asyncio.timeout(within_s):
        while (found := await group(system, **params))["n"] < n:
            await asyncio.sleep(0.02)
    return found


@whole_on_both
async def test_an_event_becomes_a_survey_an_answer_and_a_score(system: System) -> None:
    assert (
        await system.post("ingest", "/v1/events", call_ended(1, locale="ko"))
    ).status_code == 202
    (message,) = await mail_to(system)
    page = f"{system.urls['ingest']}{link_in(message)}"
    for _ in range(20):  # a mail scanner opens every link
        assert (await system.http.get(page, params={"score": 1})).status_code == 200
    await asyncio.sleep(0.5)
    assert (await group(system))["n"] == 0

    reply = await system.http.post(page, data={"score": "2"})

    assert reply.status_code == 303
    segment = {"by": "queue,agent"}
    found = await until_group(system, 1.0, 1, **segment)
    assert found["segment"] == {"queue": "billing", "agent": "ana"}
    assert found["counts"] == {"promoters": 0, "passives": 0, "detractors": 1}
    assert (found["invited"], found["response_rate"]) == (1, 1.0)

    assert (await system.http.post(page, data={"score": "5"})).status_code == 303
    async with asyncio.timeout(2):
        while (await group(system, **segment))["counts"]["promoters"] != 1:
            await asyncio.sleep(0.02)
    assert (await group(system))["n"] == 1


async def test_an_event_asks_once_whatever_is_repeated(system: System) -> None:
    for _ in range(3):
        await system.post("ingest", "/v1/events", call_ended(1))
    again = call_ended(1) | {"id": "evt-other"}
    await system.post("ingest", "/v1/events", again)
    await mail_to(system)
    async with asyncio.timeout(5):
        while len((await system.get("trigger", "/v1/decisions"))["items"]) < 2:
            await asyncio.sleep(0.02)

    decisions = (await system.get("trigger", "/v1/decisions"))["items"]
    assert sorted(item["reason"] for item in decisions) == ["asked", "asked-already"]
    assert len(await mail_to(system)) == 1


async def test_an_opt_out_by_one_click_stops_the_next_survey(system: System) -> None:
    customer = {"id": "c-same"}
    await system.post("ingest", "/v1/events", call_ended(1, **customer))
    (message,) = await mail_to(system)
    link = message["List-Unsubscribe"].strip("<>")
    assert (await system.http.get(link)).status_code == 200  # a GET changes nothing

    reply = await system.http.post(link, data={"List-Unsubscribe": "One-Click"})

    assert reply.status_code == 200
    await system.post("ingest", "/v1/events", call_ended(2, **customer))
    async with asyncio.timeout(5):
        while not (items := await decisions_of(system, "evt-2")):
            await asyncio.sleep(0.02)
    assert items[0]["reason"] == "opted-out"
    assert len(await mail_to(system)) == 1


async def decisions_of(system: System, event_id: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await system.get("trigger", "/v1/decisions", event_id=event_id))[
        "items"
    ]
    return items


@whole_on_both
async def test_poison_is_a_dead_letter_and_the_rest_is_counted(system: System) -> None:
    poison = [
        '{"id": "r-1"', '{"id": 7}', '{"id":"x","metric":"nps","answers":{"score":11}}',
        '{"id":"x","metric":"nps","answers":{"score":"\\u0000"}}', '{"id":"x","metric":"nps"}',
    ]  # fmt: skip
    for body in poison:
        reply = await system.http.post(
            f"{system.urls['ingest']}/v1/responses", content=body.encode(),
            headers={"content-type": "application/json"},
        )  # fmt: skip
        assert reply.status_code in (400, 422), body
    lines = [{"id": "good", "metric": "csat", "answers": {"score": 4, "comment": "a\x00b"}}]
    lines += [{"id": "bad", "metric": "csat", "answers": {"score": 9}}]
    reply = await system.post("ingest", "/v1/responses/batch", lines)
    assert [item["status"] for item in reply.json()["items"]] == ["accepted", "rejected"]
    await send_raw(system, "survey-responses", [b"{", b"\xff", b'{"id":"y"}', b"x" * 300_000])

    assert (await until_group(system, 5, 1))["n"] == 1
    async with asyncio.timeout(10):
        while "4 dead letters" not in (said := deadletters(system)):
            await asyncio.sleep(0.2)
    assert "missing-field" in said
    assert await lag(system) == 0
    assert "bad-json" in said
    (item,) = (await system.get("scoring", "/v1/responses", metric="csat"))["items"]
    assert item["comment"] == "ab"


async def lag(system: System) -> float:
    """Records that scoring has not settled, as Prometheus sees it."""
    text = (await system.http.get(f"{system.urls['scoring']}/metrics")).text
    lines = [line for line in text.splitlines() if line.startswith("earshot_consumer_lag_records{")]
    assert lines
    return sum(float(line.rpartition(" ")[2]) for line in lines)


async def send_raw(system: System, topic: str, values: list[bytes]) -> None:
    found, told = running(system.var), system.environment
    assert found is not None
    bootstrap = told.get("EARSHOT_KAFKA_BOOTSTRAP", found.kafka_bootstrap)
    broker = Broker(bootstrap, "", told.get("EARSHOT_KAFKA_TOPIC_PREFIX", ""))
    async with open_producer(broker) as producer:
        await producer.send([Outgoing(topic, b"k", value) for value in values])


def deadletters(system: System) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "services", "deadletters"],
        cwd=ROOT, env=system.environment, capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    return done.stdout


@whole_on_both
async def test_kill_9_leaves_nothing_that_stops_the_next_start(system: System) -> None:
    body = {"id": "r-1", "metric": "csat", "answers": {"score": 4}}
    assert (await system.post("ingest", "/v1/responses", body)).status_code == 202

    system.kill()
    await system.start()

    assert (await until_group(system, 10, 1))["n"] == 1


@whole_on_both
async def test_kill_9_of_postgresql_loses_nothing(system: System) -> None:
    found = running(system.var)
    assert found is not None
    os.kill(found.postgres_pid, signal.SIGKILL)
    for number in range(50):
        body = {"id": f"r-{number}", "metric": "csat", "answers": {"score": 4}}
        assert (await system.post("ingest", "/v1/responses", body)).status_code == 202

    async with asyncio.timeout(60):
        while not await system.ready():
            await asyncio.sleep(0.1)
    assert (await until_group(system, 20, 50))["n"] == 50


@whole_on_both
async def test_sigterm_drains_and_the_next_start_finds_its_data(system: System) -> None:
    body = {"id": "r-1", "metric": "csat", "answers": {"score": 4}}
    assert (await system.post("ingest", "/v1/responses", body)).status_code == 202
    started = time.monotonic()

    assert system.terminate() == 0

    assert time.monotonic() - started < 10
    assert running(system.var) is None
    await system.start()
    assert (await until_group(system, 10, 1))["n"] == 1


async def test_what_nobody_has_consumed_at_sigterm_waits_for_the_next_start(
    system: System,
) -> None:
    servers = running(system.var)
    assert servers is not None
    url = make_url(servers.database_url).set(drivername="postgresql")
    blocker = await asyncpg.connect(url.render_as_string(hide_password=False))
    async with blocker.transaction():
        await blocker.execute("LOCK TABLE scoring.answers IN ACCESS EXCLUSIVE MODE")
        for number in range(20):
            body = {"id": f"r-{number}", "metric": "csat", "answers": {"score": 4}}
            assert (await system.post("ingest", "/v1/responses", body)).status_code == 202
        assert await asyncio.to_thread(system.terminate) == 0
    await blocker.close()

    assert running(system.var) == servers  # the broker still holds them
    await system.start()
    assert (await until_group(system, 10, 20))["n"] == 20


async def test_a_second_start_and_a_taken_port_are_told_clearly(
    system: System, tmp_path: Path
) -> None:
    def start(**changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "services"], cwd=ROOT, env=system.environment | changes,
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip

    second = start()
    taken = start(EARSHOT_VAR=str(tmp_path / "other"))

    assert (second.returncode, taken.returncode) == (2, 2)
    assert "runs already" in second.stderr
    assert "EARSHOT_INGEST_PORT" in taken.stderr
    assert not (tmp_path / "other" / "postgres").exists()
    assert await system.ready()


async def test_a_service_alone_names_what_it_lacks(tmp_path: Path) -> None:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("EARSHOT_")}
    for service in ("ingest", "scoring", "trigger", "alerts"):
        done = subprocess.run(
            [sys.executable, "-m", f"services.{service}"], cwd=ROOT,
            env=clean | {"EARSHOT_VAR": str(tmp_path)},
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert done.returncode == 2, service
        assert "EARSHOT_KAFKA_BOOTSTRAP" in done.stderr
        assert "EARSHOT_DATABASE_URL" in done.stderr


def verb(environment: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services", *words], cwd=ROOT, env=environment,
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("kafka", [REAL], indirect=True)
async def test_beside_a_kafka_of_yours_verbs_find_the_embedded_postgresql(system: System) -> None:
    found = verb(system.environment, "migrate")
    system.terminate()
    away = verb(system.environment, "migrate")

    assert (found.returncode, found.stdout.count("up to date")) == (0, 3), found.stderr
    assert (away.returncode, "EARSHOT_DATABASE_URL" in away.stderr) == (2, True)


def test_a_database_of_yours_beside_the_mock_is_refused(tmp_path: Path) -> None:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("EARSHOT_")}
    own = {"EARSHOT_VAR": str(tmp_path), "EARSHOT_SCORING_DATABASE_URL": "postgresql://db/x"}

    refused = verb(clean | own, "run")

    assert refused.returncode == 2
    assert "EARSHOT_KAFKA_BOOTSTRAP" in refused.stderr


async def test_metrics_and_documents_are_served(system: System) -> None:
    for service, url in system.urls.items():
        metrics = await system.http.get(f"{url}/metrics")
        document = await system.http.get(f"{url}/openapi.json")

        assert f"earshot_{service}_" in metrics.text
        assert json.loads(document.text)["paths"]
