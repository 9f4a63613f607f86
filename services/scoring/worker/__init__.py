"""What happens by the clock, beside the consumer: the layout is brought in force."""

from services.scoring.worker.layout import keep_layout

__all__ = ["keep_layout"]
