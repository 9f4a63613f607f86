"""What happens by the clock, beside the consumer.

The layout is brought in force (`layout`), scores are shown to Prometheus (`gauges`).
"""

from services.scoring.worker.gauges import GaugeBoard, keep_gauges
from services.scoring.worker.layout import keep_layout

__all__ = ["GaugeBoard", "keep_gauges", "keep_layout"]
