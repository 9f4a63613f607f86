"""The pages of the four services after real traffic: as Prometheus wants them, and true."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as families

from generate.series import REGISTRIES
from tests.support.asked import call_ended, link_in, mail_to
from tests.support.system import SERVICES, System, open_system
from tests.support.tools import run_tool, system_tool

pytestmark = [pytest.mark.tools, pytest.mark.system, pytest.mark.timeout(120)]

ANSWERS = 40


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[System]:
    async with open_system(tmp_path / "var") as system:
        await system.start()
        yield system


async def page_of(system: System, service: str) -> str:
    reply = await system.http.get(f"{system.urls[service]}/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=")
    return reply.text


def value(page: str, name: str, labels: Mapping[str, str] | None = None) -> float:
    """The sum of the samples of that name that carry the labels."""
    wanted = (labels or {}).items()
    samples = [sample for family in families(page) for sample in family.samples]
    return sum(one.value for one in samples if one.name == name and wanted <= one.labels.items())


async def traffic(system: System) -> None:
    """A customer who is asked and answers, answers without being asked, and what is refused."""
    assert (await system.post("ingest", "/v1/events", call_ended(1))).status_code == 202
    (message,) = await mail_to(system)
    url = f"{system.urls['ingest']}{link_in(message)}"
    assert (await system.http.post(url, data={"score": "2"})).status_code == 303
    for number in range(ANSWERS):
        body = {"id": f"r-{number}", "metric": "nps", "answers": {"score": number % 11}}
        assert (await system.post("ingest", "/v1/responses", body)).status_code == 202
    refused = {"id": "r-1", "metric": "nps", "answers": {"score": 11}}
    assert (await system.post("ingest", "/v1/responses", refused)).status_code == 422
    assert (await system.http.get(f"{system.urls['scoring']}/v1/nothing")).status_code == 404
    await system.get("scoring", "/v1/scores", metric="nps")
    async with asyncio.timeout(20):
        while value(await page_of(system, "alerts"), "earshot_alerts_answers_total") <= ANSWERS:
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.5)  # what is behind is looked at a few times a second


async def test_each_page_is_well_formed_and_tells_what_happened(system: System) -> None:
    promtool = system_tool("promtool")
    await traffic(system)

    pages = {service: await page_of(system, service) for service in SERVICES}

    for service, page in pages.items():
        run_tool(promtool, "check", "metrics", fed=page)
        shown = {family.name + "_total" * (family.type == "counter") for family in families(page)}
        described = {series.name for series in REGISTRIES[service].described()}
        assert shown == described, service
        assert value(page, "earshot_build_info") == value(page, "earshot_producer_connected") == 1
        assert value(page, "earshot_process_services") == len(SERVICES)
        assert value(page, "earshot_event_loop_lag_seconds_count") > 0
        assert value(page, "process_resident_memory_bytes") > 1e7
    for service in SERVICES[1:]:
        page = pages[service]
        assert value(page, "earshot_consumer_reading") == 1
        assert value(page, "earshot_consumer_lag_records") == 0
        assert value(page, "earshot_consumer_lag_seconds") < 5
        assert value(page, "earshot_database_connections_max") == 12
        assert value(page, "earshot_database_connection_wait_seconds_count") > 0
    check_numbers(pages)


def check_numbers(pages: Mapping[str, str]) -> None:
    ingest, scoring, trigger, alerts = (pages[service] for service in SERVICES)
    route = {"route": "/v1/responses", "method": "POST"}
    requests = "earshot_http_requests_total"
    assert value(ingest, requests, route | {"code": "202"}) == ANSWERS
    assert value(ingest, requests, route | {"code": "422"}) == 1
    seconds = "earshot_http_request_duration_seconds_count"
    assert value(ingest, seconds, {"route": "/v1/responses"}) == ANSWERS + 1
    assert value(scoring, requests, {"route": "none", "code": "404"}) == 1
    sent = {"topic": "survey-responses", "outcome": "acknowledged"}
    assert value(ingest, "earshot_producer_records_total", sent) == ANSWERS + 1
    taken = {"topic": "survey-responses", "outcome": "ok"}
    assert value(scoring, "earshot_consumer_records_total", taken) == ANSWERS + 1
    age = {"topic": "survey-responses"}
    assert value(scoring, "earshot_consumer_record_age_seconds_count", age) == ANSWERS + 1
    assert value(scoring, "earshot_scoring_answer_age_seconds_count") == ANSWERS + 1
    assert value(scoring, "earshot_scoring_answer_age_seconds_sum") < 30 * ANSWERS
    sends = {"channel": "email", "outcome": "sent"}
    assert value(trigger, "earshot_trigger_sends_total", sends) == 1
    assert value(alerts, "earshot_alerts_answers_total", {"metric": "nps"}) == ANSWERS
