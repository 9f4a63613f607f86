"""What every service shows of itself: its registry, the kinds of series, those they all have.

A service's own series stand in its `metrics.py`, on its REGISTRY; that is what `/metrics` shows.
"""

from shared.metrics.ages import Ages
from shared.metrics.kinds import OTHER, Counter, Gauge, Histogram
from shared.metrics.pools import PoolMetrics
from shared.metrics.process import observe_process
from shared.metrics.registry import Described, Registry

__all__ = [
    "OTHER",
    "Ages",
    "Counter",
    "Described",
    "Gauge",
    "Histogram",
    "PoolMetrics",
    "Registry",
    "observe_process",
]
