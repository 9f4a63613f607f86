"""What happens on events, opt-outs and answers, and when what waited is due."""

from services.trigger.handlers.batch import on_batch
from services.trigger.handlers.due import on_due
from services.trigger.handlers.ledger import (
    Arrival,
    Booking,
    Cancel,
    Desk,
    EventKey,
    Ledger,
    Publish,
    Waiting,
    Wanted,
)

__all__ = [
    "Arrival",
    "Booking",
    "Cancel",
    "Desk",
    "EventKey",
    "Ledger",
    "Publish",
    "Waiting",
    "Wanted",
    "on_batch",
    "on_due",
]
