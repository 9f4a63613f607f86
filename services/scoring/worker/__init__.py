"""What happens by the clock, beside the consumer.

The layout is brought in force (`layout`), scores are shown to Prometheus (`gauges`),
old decisions are deleted (`retention`).
"""

from services.scoring.worker.gauges import GaugeBoard, keep_gauges
from services.scoring.worker.layout import keep_layout
from services.scoring.worker.retention import keep_decisions

__all__ = ["GaugeBoard", "keep_decisions", "keep_gauges", "keep_layout"]
