"""What happens on events, opt-outs and answers, and when what waited is due."""

from services.trigger.handlers.batch import on_batch
from services.trigger.handlers.ledger import Arrival, Booking, Desk, EventKey, Ledger

__all__ = ["Arrival", "Booking", "Desk", "EventKey", "Ledger", "on_batch"]
