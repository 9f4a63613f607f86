"""What happens on events, opt-outs and answers, and when what waited or a reminder is due."""

from services.trigger.handlers.answers import AnswerBook, on_answers
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
from services.trigger.handlers.reminding import Sent, on_reminders_due

__all__ = [
    "AnswerBook",
    "Arrival",
    "Booking",
    "Cancel",
    "Desk",
    "EventKey",
    "Ledger",
    "Publish",
    "Sent",
    "Waiting",
    "Wanted",
    "on_answers",
    "on_batch",
    "on_due",
    "on_reminders_due",
]
