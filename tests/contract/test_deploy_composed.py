"""docker-compose.yml, all of it but the engine: every service runs in the image as it says.

Only the engine is missing: the commands, the environments, the secrets and the health checks are
those of the files; the root is read-only and the user has no rights. Kafka, PostgreSQL, Prometheus
and Alertmanager are real ones, told what docker-compose.yml tells them.
"""

import asyncio
import email
import email.policy
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest

from shared.embedded.postgres import stop_postgres
from tests.support.asked import LINK, call_ended
from tests.support.composed import JOBS, SERVICES, Composed, asked, configured, until_found
from tests.support.container import Image
from tests.support.network import own_network
from tests.support.tools import ROOT, system_tool
from tests.unit.test_senders_smtp import Postbox

pytestmark = [
    pytest.mark.tools,
    pytest.mark.system,
    pytest.mark.real_kafka,
    pytest.mark.timeout(400),
]
PROGRAMS = {"prometheus": "prometheus", "alertmanager": "prometheus-alertmanager"}
UNITS = {"m": 2**20, "g": 2**30}


@pytest.fixture(scope="module")
def composed(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    """Everything that docker-compose.yml starts, in its order, each job twice."""
    folder = tmp_path_factory.mktemp("composed")
    made = Composed(folder, image, configured(folder / "env"))
    with own_network():
        try:
            made.start_kafka()
            made.start_postgres()
            for job in JOBS:
                made.until("kafka", partial(succeeded, made, job))
            for name in SERVICES:
                made.start(name)
            for name, program in PROGRAMS.items():
                made.start(name, system_tool(program))
            made.until_healthy(*SERVICES, *PROGRAMS)
            yield made
        finally:
            made.close()
            stop_postgres(folder / "database")


def succeeded(composed: Composed, job: str) -> bool:
    return composed.run(job).returncode == 0


@pytest.mark.parametrize("job", JOBS)
def test_a_job_may_run_again(composed: Composed, job: str) -> None:
    again = composed.run(job)

    assert again.returncode == 0, again.stderr
    assert "created" not in again.stdout


@pytest.mark.parametrize(("name", "port"), SERVICES.items())
def test_a_service_is_healthy_and_ready(composed: Composed, name: str, port: int) -> None:
    url = f"http://127.0.0.1:{port}/readyz"
    composed.until(name, lambda: httpx.get(url, trust_env=False).status_code == httpx.codes.OK)

    assert composed.healthy(name)


def test_a_health_check_notices_that_nobody_answers(composed: Composed) -> None:
    container = composed.container("ingest")
    container.environment = {**container.environment, "HEALTH_URL": "http://127.0.0.1:8009/healthz"}

    assert container.run(*composed.image.stage.healthcheck).returncode != 0


async def test_an_event_becomes_a_mail_an_answer_and_a_score(composed: Composed) -> None:
    box = Postbox()
    server = await asyncio.start_server(box.accept, "127.0.0.1", 1025)
    headers = {"authorization": f"Bearer {composed.key}"}
    async with httpx.AsyncClient(headers=headers, trust_env=False, timeout=40) as http:
        sent = await http.post("http://127.0.0.1:8001/v1/events", json=call_ended(1))
        async with asyncio.timeout(20):
            while not box.mails:
                await asyncio.sleep(0.1)
        answered = await http.post(f"http://127.0.0.1:8001{link_in(box)}", data={"score": "2"})
    server.close()
    for served in box.served:
        served.cancel()

    assert sent.status_code == httpx.codes.ACCEPTED, sent.text
    assert answered.status_code == httpx.codes.SEE_OTHER, answered.text
    (group,) = await until_found(
        "http://127.0.0.1:8002/v1/scores",
        composed.key,
        lambda reply: [g for g in reply["groups"] if g["n"]],
        metric="csat",
        by="queue",
    )
    assert (group["segment"], group["n"]) == ({"queue": "billing"}, 1)


def link_in(box: Postbox) -> str:
    message = email.message_from_bytes(box.mails[0], policy=email.policy.default)
    text = message.get_body(("plain",))
    assert text is not None
    found = LINK.search(text.get_content())
    assert found is not None
    return found[1]


@pytest.mark.parametrize(("name", "path"), [
    ("scoring", "/v1/scores?metric=csat"),
    ("trigger", "/v1/decisions?customer_id=c-1"),
    ("alerts", "/v1/alerts"),
])  # fmt: skip
def test_nothing_is_told_without_a_key(composed: Composed, name: str, path: str) -> None:
    reply = httpx.get(f"http://127.0.0.1:{SERVICES[name]}{path}", trust_env=False)

    assert reply.status_code == httpx.codes.UNAUTHORIZED


async def test_prometheus_scrapes_every_service_and_knows_the_rules(composed: Composed) -> None:
    base = "http://127.0.0.1:9090/api/v1"
    up = await until_found(
        f"{base}/query", composed.key, lambda r: len(r["data"]["result"]) == len(SERVICES) and r,
        query='up{job="earshot"} == 1',
    )  # fmt: skip
    rules = await asked(f"{base}/rules", composed.key)
    told = await until_found(
        f"{base}/alertmanagers", composed.key, lambda r: r["data"]["activeAlertmanagers"]
    )

    assert {s["metric"]["service"] for s in up["data"]["result"]} == {*SERVICES}
    files = {Path(group["file"]).name for group in rules["data"]["groups"]}
    assert files == {path.name for path in (ROOT / "deploy/prometheus/rules").glob("*.yaml")}
    assert [one["url"] for one in told] == ["http://alertmanager:9093/api/v2/alerts"]


async def test_alerts_tells_the_alertmanager_that_compose_starts(composed: Composed) -> None:
    found = await asked("http://127.0.0.1:8004/v1/destinations", composed.key)

    assert "http://alertmanager:9093" in str(found)


def test_an_operators_verb_works_in_the_image(composed: Composed) -> None:
    listed = composed.container("topics").run("python", "-m", "services", "deadletters", "list")

    assert listed.returncode == 0, listed.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_memory_stays_far_below_its_limit(composed: Composed, name: str) -> None:
    limit = composed.service(name)["mem_limit"]
    used = psutil.Process(composed.running[name].pid).memory_info().rss

    assert used < int(limit[:-1]) * UNITS[limit[-1]] / 2


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_ends_well_within_its_grace(composed: Composed, name: str) -> None:
    """The last test: what it ends is not started again."""
    grace = int(re.fullmatch(r"(\d+)s", composed.service(name)["stop_grace_period"])[1])  # type: ignore[index]
    code, seconds = composed.stop(name)

    assert code == 0
    assert seconds < grace / 2
