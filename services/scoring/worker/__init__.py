"""What happens by the clock, beside the consumer.

The layout is brought in force (`layout`), scores are shown to Prometheus (`gauges`),
old decisions are deleted (`retention`), the newest answers are held in columns (`columns`),
how alike answers of one cluster are is estimated (`alikeness`).
"""

from services.scoring.worker.alikeness import Estimating, keep_alike
from services.scoring.worker.columns import keep_columns
from services.scoring.worker.gauges import GaugeBoard, keep_gauges
from services.scoring.worker.layout import keep_layout
from services.scoring.worker.retention import keep_decisions

__all__ = [
    "Estimating",
    "GaugeBoard",
    "keep_alike",
    "keep_columns",
    "keep_decisions",
    "keep_gauges",
    "keep_layout",
]
