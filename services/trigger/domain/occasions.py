"""An event as the rules see it: whom it is about, what it is about, where it happened."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from services.trigger.domain.customers import (
    Customer,
    clean_email,
    clean_id,
    clean_phone,
    guest_id,
)
from shared.errors import Reason, Refused
from shared.events import Event
from shared.segments import clean_value, frozen_segments
from shared.wire import refused_by

PREFIXES = ("transaction.", "support_call.")
OWN_SOURCE = "earshot"  # of what nobody sent: who is due in a schedule, or for a reminder
LONGEST_ID = 256


class _Person(msgspec.Struct, frozen=True):
    id: str | int | None = None
    email: str | None = None
    phone: str | None = None
    locale: str | None = None
    timezone: str | None = None
    country: str | None = None
    consent: dict[str, bool | None] | None = None


class _Thing(msgspec.Struct, frozen=True):
    id: str | int | None = None


class _Contents(msgspec.Struct, frozen=True):
    customer: _Person | None = None
    transaction: _Thing | None = None
    call: _Thing | None = None
    touchpoint: str | None = None
    segments: dict[str, str | int | float | bool | None] | None = None


@dataclass(frozen=True, slots=True)
class Occasion:
    """One event, read: its customer (None if it names nobody), subject and frozen segments."""

    event: Event
    customer: Customer | None
    subject_id: str
    touchpoint: str | None
    segments: Mapping[str, str]

    @property
    def customer_id(self) -> str | None:
        return None if self.customer is None else self.customer.id


def read_occasion(event: Event, dimensions: Mapping[str, str | None]) -> Occasion:
    """Read the parts of an event that decisions need.

    Raises Refused, with the field, when a part has the wrong type or an id is too long.
    """
    try:
        contents = msgspec.convert(event.data, _Contents)
    except msgspec.ValidationError as error:
        fault = refused_by(error)
        raise Refused(fault.reason, f"data.{fault.detail}", f"data.{fault.field}") from None
    return Occasion(
        event=event,
        customer=_customer(contents.customer),
        subject_id=_subject(contents, event),
        touchpoint=clean_value(contents.touchpoint or ""),
        segments=frozen_segments(dimensions, event.data),
    )


def invitation_id(survey: str, customer_id: str, subject_id: str) -> str:
    """The id of the one invitation of a survey to a customer about a subject.

    A replay, or another event about the same subject, makes the same one.
    """
    digest = hashlib.sha256(f"{survey}\0{customer_id}\0{subject_id}".encode()).digest()
    return "i-" + base64.b32encode(digest[:20]).decode().lower()[:26]


def _customer(person: _Person | None) -> Customer | None:
    if person is None:
        return None
    email, phone = clean_email(person.email), clean_phone(person.phone)
    customer_id = _id(person.id, "data.customer.id") or guest_id(email, phone)
    if customer_id is None:
        return None
    said = (person.consent or {}).items()
    return Customer(
        id=customer_id,
        email=email,
        phone=phone,
        locale=clean_value(person.locale or ""),
        timezone=clean_value(person.timezone or ""),
        country=clean_value(person.country or ""),
        consent={channel: allowed for channel, allowed in said if allowed is not None},
    )


def _subject(contents: _Contents, event: Event) -> str:
    thing, call = contents.transaction, contents.call
    return (
        (thing and _id(thing.id, "data.transaction.id"))
        or (call and _id(call.id, "data.call.id"))
        or _id(event.subject, "subject")
        or event.id
    )


def _id(value: str | int | None, field: str) -> str | None:
    """An id as text without control characters; empty is absent."""
    text = clean_id(str(value)) if value is not None else ""
    if len(text) > LONGEST_ID:
        detail = f"{field} is longer than {LONGEST_ID} characters"
        raise Refused(Reason.TOO_LARGE, detail, field)
    return text or None
