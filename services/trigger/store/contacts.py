"""How customers are reached: one contact a customer, kept newest first."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from services.trigger.domain.customers import Customer
from services.trigger.handlers import Booking
from shared.columns import insert_all

CONTACT: Final = {
    "customer_id": "text",
    "email": "text",
    "phone": "text",
    "locale": "text",
    "timezone": "text",
    "seen_at": "timestamptz",
}


def _newer(column: str) -> str:
    return (
        f"{column} = CASE WHEN excluded.seen_at >= contacts.seen_at"
        f" THEN coalesce(excluded.{column}, contacts.{column})"
        f" ELSE coalesce(contacts.{column}, excluded.{column}) END"
    )


KEEP_CONTACTS: Final = insert_all(
    "contacts",
    CONTACT,
    {},
    "ON CONFLICT (customer_id) DO UPDATE SET "
    + ", ".join(map(_newer, ("email", "phone", "locale", "timezone")))
    + ", seen_at = greatest(excluded.seen_at, contacts.seen_at)",
)


def merged(bookings: Sequence[Booking]) -> list[tuple[Customer, datetime]]:
    """One contact a customer, ids sorted: the newest event's, gaps filled by older ones."""
    found: dict[str, tuple[Customer, datetime]] = {}
    for booking in sorted(bookings, key=lambda b: b.seen_at):
        customer = booking.customer
        before = found.get(customer.id, (customer, booking.seen_at))[0]
        full = replace(
            customer,
            email=customer.email or before.email,
            phone=customer.phone or before.phone,
            locale=customer.locale or before.locale,
            timezone=customer.timezone or before.timezone,
        )
        found[customer.id] = (full, booking.seen_at)
    return [found[key] for key in sorted(found)]
