"""Where an emitter's event goes, and under which key."""

import hashlib
import re
from typing import Final

from shared.errors import FieldFault, Invalid
from shared.events import Event, Topic

_TOPICS: Final = {"transaction": Topic.TRANSACTIONS, "support_call": Topic.SUPPORT_CALLS}
_TYPE: Final = re.compile(r"(transaction|support_call)\.[^.\s]\S*")
_ACCEPTED: Final = "transaction.<word> or support_call.<word>"


def topic_of(event: Event) -> Topic:
    """The topic of the event's type. Raises Invalid on another prefix."""
    match = _TYPE.fullmatch(event.type)
    if match is None:
        raise Invalid.of([FieldFault("type", "out-of-range", event.type[:100], _ACCEPTED)])
    return _TOPICS[match[1]]


def key_of(event: Event) -> str:
    """The customer's id; a guest's hash, for no contact stands in a key; else the event's id."""
    customer = event.data.get("customer")
    if not isinstance(customer, dict):
        return event.id
    named = customer.get("id")
    if isinstance(named, int) and not isinstance(named, bool):
        return str(named)
    if isinstance(named, str) and named.strip():
        return named.strip()
    contact = _contact(customer)
    if contact is None:
        return event.id
    return "guest:" + hashlib.sha256(contact.encode()).hexdigest()


def _contact(customer: dict[str, object]) -> str | None:
    email = customer.get("email")
    if isinstance(email, str) and email.strip():
        return email.strip().lower()
    phone = customer.get("phone")
    if not isinstance(phone, str) or not phone.strip():
        return None
    number = phone.strip()
    digits = re.sub(r"\D", "", number)
    return f"+{digits}" if number.startswith("+") else digits
