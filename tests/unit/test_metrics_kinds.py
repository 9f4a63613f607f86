"""Series whose labels cannot grow, and the registry that describes them."""

import re
from random import Random

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from generate.series import REGISTRIES
from shared.metrics import OTHER, Ages, Counter, Gauge, Histogram, Registry
from shared.metrics.http import HttpMetrics
from shared.metrics.kinds import MOST
from shared.stream.metrics import ProducerMetrics
from shared.stream.records import Outgoing
from shared.version import VERSION
from tests.support.tools import ROOT

EVERY = {series.name: series for r in REGISTRIES.values() for series in r.described()}


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def test_what_customers_write_makes_no_series_beyond_the_bound(registry: CollectorRegistry) -> None:
    counted = Counter("asked", "Times.", ["survey", "kind"], registry=registry)

    for number in range(3 * MOST):
        counted.labels(f"s{number}", "a").inc()
        counted.labels(kind="a", survey=f"s{number}").inc()

    text = generate_latest(registry).decode()
    assert text.count("asked_total{") == MOST + 1
    assert registry.get_sample_value("asked_total", {"survey": "s0", "kind": "a"}) == 2
    assert registry.get_sample_value("asked_total", {"survey": OTHER, "kind": "a"}) == 4 * MOST
    assert "_created" not in text


def test_a_cleared_gauge_has_room_again(registry: CollectorRegistry) -> None:
    gauge = Gauge("open", "Now.", ["survey"], registry=registry)
    for number in range(MOST):
        gauge.labels(number).set(1)
    gauge.clear()

    gauge.labels("new").set(2)

    assert registry.get_sample_value("open", {"survey": "new"}) == 2


@pytest.mark.parametrize("named", [{"kind": "a"}, {"survey": "a", "other": "b"}])
def test_labels_have_to_be_those_that_were_named(named: dict[str, str]) -> None:
    gauge = Gauge("open", "Now.", ["survey", "kind"], registry=None)

    with pytest.raises(ValueError, match="label"):
        gauge.labels(**named)
    with pytest.raises(ValueError, match="label"):
        gauge.labels("a")


def test_many_observations_at_once_are_the_same_as_one_by_one(registry: CollectorRegistry) -> None:
    luck, bounds = Random(3), (0.1, 0.5, 1, 10)
    values = [luck.choice([0.1, 0.5, 11.0, luck.random() * 12]) for _ in range(500)]
    one_by_one = Histogram("one", "Seconds.", buckets=bounds, registry=registry)
    at_once = Histogram("many", "Seconds.", buckets=bounds, registry=registry)

    for value in values:
        one_by_one.observe(value)
    at_once.observe_all(values[:200])
    at_once.observe_all([])
    at_once.observe_all(values[200:])

    one, many = (
        [line.removeprefix(name) for line in generate_latest(registry).decode().splitlines()
         if line.startswith((f"{name}_bucket", f"{name}_count"))]
        for name in ("one", "many")
    )  # fmt: skip
    assert one == many
    assert registry.get_sample_value("many_sum") == pytest.approx(sum(values))


def test_an_age_grows_while_nobody_tells_it(registry: CollectorRegistry) -> None:
    now = 100.0
    ages = Ages("lag_seconds", "Age.", "topic", registry, lambda: now)
    ages.show({"a": 90.0, "b": 101.0})

    now = 130.0

    assert registry.get_sample_value("lag_seconds", {"topic": "a"}) == 40
    assert registry.get_sample_value("lag_seconds", {"topic": "b"}) == 29
    now = 100.0
    assert registry.get_sample_value("lag_seconds", {"topic": "b"}) == 0


def test_requests_have_bounded_methods(registry: CollectorRegistry) -> None:
    http = HttpMetrics(registry)

    http.note("/v1/things", "GET", 200, 0.2)
    http.note("/v1/things", "BREW", 405, 0.0)
    http.note("/v1/things", "STEEP", 405, 0.0)

    def counted(method: str, code: str) -> float | None:
        labels = {"route": "/v1/things", "method": method, "code": code}
        return registry.get_sample_value("earshot_http_requests_total", labels)

    assert (counted("GET", "200"), counted(OTHER, "405"), counted("BREW", "405")) == (1, 2, None)
    assert registry.get_sample_value(
        "earshot_http_request_duration_seconds_sum", {"route": "/v1/things"}
    ) == pytest.approx(0.2)


def test_what_was_sent_is_counted_by_how_it_ended(registry: CollectorRegistry) -> None:
    metrics = ProducerMetrics(registry)
    records = [Outgoing("a", None, b""), Outgoing("a", None, b""), Outgoing("b", None, b"")]

    with metrics.sending(records):
        under_way = registry.get_sample_value("earshot_producer_in_flight_records")
    with pytest.raises(OSError, match="gone"), metrics.sending(records):
        raise OSError("gone")

    name = "earshot_producer_records_total"
    ended = {
        (topic, outcome): registry.get_sample_value(name, {"topic": topic, "outcome": outcome})
        for topic in "ab"
        for outcome in ("acknowledged", "failed")
    }
    assert under_way == 3
    assert registry.get_sample_value("earshot_producer_in_flight_records") == 0
    assert ended == dict.fromkeys((("a", "acknowledged"), ("a", "failed")), 2) | dict.fromkeys(
        (("b", "acknowledged"), ("b", "failed")), 1
    )
    assert registry.get_sample_value("earshot_producer_send_seconds_count") == 2


def test_a_build_names_its_version_and_its_last_programme() -> None:
    registry = Registry()
    registry.show_build("sha256:old")
    registry.show_build("sha256:new")

    (line,) = [
        line
        for line in generate_latest(registry).decode().splitlines()
        if line.startswith("earshot_build_info{")
    ]
    assert line == f'earshot_build_info{{programme="sha256:new",version="{VERSION}"}} 1.0'


def test_the_version_is_the_same_wherever_it_stands() -> None:
    project, image = ((ROOT / name).read_text() for name in ("pyproject.toml", "Dockerfile"))

    assert f'\nversion = "{VERSION}"\n' in project
    assert f'org.opencontainers.image.version="{VERSION}"' in image


@pytest.mark.parametrize("name", EVERY)
def test_a_series_is_named_and_described_as_prometheus_asks(name: str) -> None:
    series = EVERY[name]

    assert re.fullmatch(r"(earshot|process)_[a-z0-9_]+", series.name)
    assert series.name.endswith("_total") == (series.kind == "counter")
    assert not re.search(
        r"gauge|counter|histogram|milli|micro|_ms\b|_kb\b|minutes_ago", series.name
    )
    if series.kind == "histogram":
        assert series.name.endswith("_seconds")
    assert series.text.endswith(".")
    assert len(series.text) > 20 or series.name.startswith("process_")
