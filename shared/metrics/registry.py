"""The registry of a service."""

from collections.abc import Iterator
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

from shared.metrics.http import HttpMetrics
from shared.metrics.keys import KeyMetrics
from shared.metrics.kinds import Gauge
from shared.metrics.process import PROCESS
from shared.version import VERSION


class Described(NamedTuple):
    """A series as a page of documentation names it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    text: str


class Registry(CollectorRegistry):
    """One a service, for one process may run all four; with the series that each service has."""

    def __init__(self) -> None:
        super().__init__()
        self._collectors: list[Collector] = []
        self._build = Gauge(
            "earshot_build_info",
            "Always 1; its labels say which version of Earshot runs, by which programme (the digest"
            " that decisions name). Two versions or digests are normal only during a rollout.",
            ["version", "programme"],
            registry=self,
        )
        self.http = HttpMetrics(self)
        self.keys = KeyMetrics(self)
        for collector in PROCESS:
            self.register(collector)

    def register(self, collector: Collector) -> None:
        """Show what it collects."""
        super().register(collector)
        self._collectors.append(collector)

    def show_build(self, programme: str) -> None:
        """Show the version that runs, and the digest of its programme."""
        self._build.clear()
        self._build.labels(VERSION, programme).set(1)

    def described(self) -> Iterator[Described]:
        """Every series, shown yet or not, by its name on the page."""
        for collector in self._collectors:
            labels = getattr(collector, "label_names", None)
            for family in collector.collect():
                name = f"{family.name}_total" if family.type == "counter" else family.name
                named = getattr(family, "_labelnames", ()) if labels is None else labels
                yield Described(name, family.type, tuple(named), family.documentation)
