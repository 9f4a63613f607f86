"""Connections to the database: how many there are, and how long who needs one waits."""

import time
from collections.abc import Iterator
from typing import Any
from weakref import WeakSet

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

from shared.metrics.kinds import Counter, Histogram


class PoolMetrics(Collector):
    """The series of a service's pool of connections."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._pools: WeakSet[_Watched] = WeakSet()
        self._wait = Histogram(
            "earshot_database_connection_wait_seconds",
            "How long a connection was waited for, opening it included. Below 0.01 is normal;"
            " after 10 the waiting is given up. More: the pool is too small, statements too slow.",
            buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10),
            registry=registry,
        )
        self._failures = Counter(
            "earshot_database_connection_failures",
            "Times that no connection was had: the database is away, refuses, or all are in use.",
            registry=registry,
        )
        registry.register(self)

    def pool_class(self) -> type[AsyncAdaptedQueuePool]:
        """The kind of pool that is to be used for it to be seen here."""
        metrics = self

        class Watched(_Watched):
            def __init__(self, *about: Any, **more: Any) -> None:
                super().__init__(*about, **more)
                metrics._pools.add(self)

            def _do_get(self) -> ConnectionPoolEntry:
                began = time.perf_counter()
                try:
                    found = super()._do_get()
                except Exception:
                    metrics._failures.inc()
                    raise
                finally:
                    metrics._wait.observe(time.perf_counter() - began)
                return found

        return Watched

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges."""
        pools = list(self._pools)
        shown = GaugeMetricFamily(
            "earshot_database_connections",
            "Open connections, by state: in-use or idle. The judge of alerts holds one for good.",
            labels=["state"],
        )
        shown.add_metric(["in-use"], sum(pool.checkedout() for pool in pools))
        shown.add_metric(["idle"], sum(pool.checkedin() for pool in pools))
        yield shown
        yield GaugeMetricFamily(
            "earshot_database_connections_max",
            "Connections that may be in use at once; further ones are waited for.",
            value=sum(pool.most for pool in pools),
        )


class _Watched(AsyncAdaptedQueuePool):
    @property
    def most(self) -> int:
        return self.size() + int(self._max_overflow)
