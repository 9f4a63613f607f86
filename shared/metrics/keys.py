"""API keys: who uses them, and until when they are good."""

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry

from shared.metrics.kinds import Counter, Gauge

Used = Callable[[float], None]
_NOBODY: Final = "none"


class KeyMetrics:
    """The series of a service's API keys, by id."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "earshot_api_key_requests",
            "Requests by API key and what came of the key: ok; expired; scope, which it lacks;"
            " unknown, whoever sent it, under the key `none`.",
            ["key", "outcome"],
            registry=registry,
        )
        self._last = Gauge(
            "earshot_api_key_last_used_timestamp_seconds",
            "When the API key was last good, by this process since it began. One that no process"
            " shows is not used: it may be revoked.",
            ["key"],
            registry=registry,
        )
        self._expires = Gauge(
            "earshot_api_key_expires_timestamp_seconds",
            "When the API key stops being good; no series for one that never does. Draw the next"
            " one before.",
            ["key"],
            registry=registry,
        )

    def show(self, expiries: dict[str, float]) -> None:
        """These keys are in force, and stop being good then."""
        self._expires.clear()
        for key, expires in expiries.items():
            self._expires.labels(key).set(expires)

    def used(self, key: str) -> Used:
        """What notes each good use of the key, at its time in epoch seconds."""
        requests, last = self._requests.labels(key, "ok"), self._last.labels(key)

        def note(at: float) -> None:
            requests.inc()
            last.set(at)

        return note

    def refused(self, key: str | None, outcome: str) -> None:
        """A key that did not open the door; None where nobody knows it."""
        self._requests.labels(key or _NOBODY, outcome).inc()
