"""Requests: how many, how they ended, how long they took."""

from typing import Final

from prometheus_client import CollectorRegistry

from shared.metrics.kinds import OTHER, Counter, Histogram

NO_ROUTE: Final = "none"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class HttpMetrics:
    """The series of a service's requests."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "earshot_http_requests",
            "Requests answered, by template of the route, method and status; route `none`: refused"
            " before one was found. 503 of ingest means that Kafka did not take it, any other 5xx"
            " a fault of ours that the log tells of.",
            ["route", "method", "code"],
            registry=registry,
        )
        self._seconds = Histogram(
            "earshot_http_request_duration_seconds",
            "Time to answer, by template of the route; of /v1/stream until its first line.",
            ["route"],
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=registry,
        )
        self._found: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def note(self, route: str, method: str, code: int, seconds: float) -> None:
        """Count a request that was answered, and how long that took."""
        key = route, method if method in _METHODS else OTHER, code
        found = self._found.get(key)
        if found is None:
            found = self._requests.labels(*key), self._seconds.labels(route)
            self._found[key] = found
        found[0].inc()
        found[1].observe(seconds)
