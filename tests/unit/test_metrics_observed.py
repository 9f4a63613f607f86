"""What is measured in place: the loop, requests that have no end, alerts that are not over."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from services.alerts.domain.alerts import State
from services.alerts.domain.answers import Line
from services.alerts.domain.cases import Case, Docket
from services.alerts.domain.estimates import Severity
from services.alerts.metrics import REGISTRY
from services.alerts.worker.observing import forget_observed, observe_open
from shared.metrics import Registry, observe_process
from shared.metrics.http import HttpMetrics
from shared.web.limits import Counted
from tests.support.alerts import an_alert
from tests.support.web import build


async def test_a_loop_that_is_kept_is_late() -> None:
    registry = Registry()

    def late() -> float:
        return registry.get_sample_value("earshot_event_loop_lag_seconds_sum") or 0.0

    before = late()
    observe_process(4)
    time.sleep(0.6)  # noqa: ASYNC251 - the fault
    await asyncio.sleep(0.01)

    assert registry.get_sample_value("earshot_process_services") == 4
    assert 0.3 < late() - before < 5


@pytest.mark.parametrize(
    ("media", "least", "most"), [(b"text/event-stream", 0, 0.2), (b"text/csv", 0.3, 9)]
)
async def test_a_stream_of_events_lasts_until_its_first_line(
    media: bytes, least: float, most: float
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", media + b"; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await asyncio.sleep(0.3)
        await send({"type": "http.response.body", "body": b""})

    async def nothing(*_: Any) -> Any:
        return None

    registry = CollectorRegistry()
    scope = {"type": "http", "method": "GET", "path": "/v1/stream"}
    await Counted(app, HttpMetrics(registry))(scope, nothing, nothing)

    seconds = registry.get_sample_value(
        "earshot_http_request_duration_seconds_sum", {"route": "none"}
    )
    assert seconds is not None
    assert least <= seconds <= most


async def test_a_path_makes_no_series_but_its_route_does() -> None:
    client = build()
    for number in range(5):
        await client.get(f"/v1/faults/{number}")
        await client.get(f"/v1/nowhere/{number}")

    text = (await client.get("/metrics")).text

    name = "earshot_http_requests_total"
    assert f'{name}{{code="500",method="GET",route="/v1/faults/{{kind}}"}} 5.0' in text
    assert f'{name}{{code="404",method="GET",route="none"}} 5.0' in text


@pytest.fixture
def forgotten() -> Iterator[None]:
    forget_observed()
    yield
    forget_observed()


def docket(*kinds: tuple[Severity, State]) -> Docket:
    alerts = [
        an_alert(id=f"a-{number}", severity=severity, state=state)
        for number, (severity, state) in enumerate(kinds)
    ]
    return Docket({alert.id: Case(alert, (0,), 1, alert.n, alert.severity) for alert in alerts})


def shown(severity: Severity, state: State) -> float | None:
    labels = {"metric": "nps", "survey": "post-call", "severity": severity, "state": state}
    return REGISTRY.get_sample_value("earshot_alerts_open", labels)


@pytest.mark.usefixtures("forgotten")
def test_alerts_are_shown_by_severity_and_state_until_they_are_over() -> None:
    line, critical = Line("nps", "post-call"), Severity.CRITICAL
    observe_open(line, docket((critical, State.OPEN), (critical, State.OPEN)))
    first = shown(critical, State.OPEN), shown(critical, State.ACKNOWLEDGED)

    observe_open(line, docket((critical, State.ACKNOWLEDGED)))

    second = shown(critical, State.OPEN), shown(critical, State.ACKNOWLEDGED)
    other = shown(Severity.INFO, State.OPEN)
    forget_observed()

    assert (first, second, other) == ((2, 0), (0, 1), 0)
    assert shown(critical, State.OPEN) is None
