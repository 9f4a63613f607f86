"""Ages that grow by themselves: also while nothing runs that would tell them."""

import time
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector


class Ages(Collector):
    """A gauge of seconds by one label, computed when it is asked for."""

    def __init__(
        self,
        name: str,
        text: str,
        label: str,
        registry: CollectorRegistry,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._about = name, text
        self._label = label
        self._now = now
        self._since: Mapping[str, float] = {}
        registry.register(self)

    def show(self, since: Mapping[str, float]) -> None:
        """Show how long ago these moments are; the label's values are ours, and so bounded."""
        self._since = since

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The series."""
        name, text = self._about
        family, now = GaugeMetricFamily(name, text, labels=[self._label]), self._now()
        for value, since in self._since.items():
            family.add_metric([value], max(0.0, now - since))
        yield family
