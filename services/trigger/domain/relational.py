"""A customer who is due, as the event that asks them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.trigger.domain.customers import Customer
from services.trigger.domain.occasions import OWN_SOURCE
from shared.events import Event
from shared.programme.models import Trigger


@dataclass(frozen=True, slots=True)
class Contact:
    """A customer as their events have shown them, with the segments of the newest."""

    customer: Customer
    segments: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Due:
    """A customer whose moment in a schedule has come, and what they are asked about."""

    contact: Contact
    subject_id: str
    moment: datetime


def event_of(
    due: Due, schedule: Trigger, at: datetime, dimensions: Mapping[str, str | None]
) -> Event:
    """The event of a customer who is due, made at a moment; its id is always the same.

    It carries the customer's segments and none of the last event's own, such as the queue of a
    call: the question is about the whole relationship.
    """
    customer = due.contact.customer
    reach = {name: getattr(customer, name) for name in _REACH}
    data: dict[str, Any] = {
        "customer": {name: value for name, value in reach.items() if value is not None},
        "segments": _lasting(due.contact.segments, dimensions),
    }
    return Event(
        id=f"{schedule.survey}/{due.subject_id}/{customer.id}",
        source=OWN_SOURCE,
        type=schedule.on,
        time=at,
        subject=due.subject_id,
        data=data,
    )


_REACH: Final = ("id", "email", "phone", "locale", "timezone", "country")


def _lasting(
    segments: Mapping[str, str], dimensions: Mapping[str, str | None]
) -> Mapping[str, str]:
    passing = {
        name
        for name, path in dimensions.items()
        if path is not None and not path.startswith(("customer.", "segments."))
    }
    return {name: value for name, value in segments.items() if name not in passing}
