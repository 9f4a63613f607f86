"""A request that belongs to a trace has one span, named by its route and never by its path."""

import httpx
import pytest
from opentelemetry.trace import StatusCode

from shared.web import TracedRequests
from tests.support.ingest import Rig, survey_token
from tests.support.spans import Spans, parent_id

FOLLOWED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
HEADERS = {"traceparent": FOLLOWED}
ANSWER = {"id": "r-1", "survey": "post-call", "answers": {"score": 2}}


@pytest.fixture
def spans() -> Spans:
    return Spans()


@pytest.fixture
def rig(spans: Spans) -> Rig:
    return Rig(traces=spans.traces)


def client(rig: Rig, spans: Spans) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=TracedRequests(rig.web(), spans.traces))
    return httpx.AsyncClient(transport=transport, base_url="http://ingest", headers=HEADERS)


async def test_the_fast_route_is_named_as_the_others_are(rig: Rig, spans: Spans) -> None:
    async with client(rig, spans) as ours:
        assert (await ours.post("/v1/responses", json=ANSWER)).status_code == 202

    publish, request = spans.ended
    assert (publish.name, request.name) == ("survey-responses publish", "POST /v1/responses")
    assert parent_id(request) == FOLLOWED[36:52]
    attributes = request.attributes or {}
    assert attributes["http.route"] == "/v1/responses"
    assert attributes["http.response.status_code"] == 202


async def test_a_customers_token_stands_in_no_span(rig: Rig, spans: Spans) -> None:
    token = survey_token()
    async with client(rig, spans) as ours:
        assert (await ours.get(f"/s/{token}")).status_code == 200

    (request,) = spans.ended
    assert request.name == "GET /s/{token}"
    assert token not in request.to_json()


async def test_what_was_not_taken_is_seen_as_a_fault(rig: Rig, spans: Spans) -> None:
    rig.producer.away = True
    async with client(rig, spans) as ours:
        assert (await ours.post("/v1/responses", json=ANSWER)).status_code == 503

    assert spans.ended[-1].status.status_code is StatusCode.ERROR


async def test_probes_and_what_is_not_to_be_followed_have_none(rig: Rig, spans: Spans) -> None:
    async with client(rig, spans) as ours:
        for path in ("/healthz", "/readyz", "/metrics"):
            assert (await ours.get(path)).status_code == 200
        await ours.get("/v1/nothing", headers={"traceparent": f"{FOLLOWED[:-2]}00"})

    assert spans.ended == []


async def test_the_series_of_a_page_is_its_own(rig: Rig, spans: Spans) -> None:
    async with client(rig, spans) as ours:
        await ours.get(f"/s/{survey_token()}/thanks")
        await ours.get("/u/forged")
        series = (await ours.get("/metrics")).text

    assert 'requests_total{code="200",method="GET",route="/s/{token}/thanks"}' in series
    assert 'requests_total{code="404",method="GET",route="/u/{token}"}' in series
