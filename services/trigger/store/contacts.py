"""How customers are reached and what they said: one contact a customer, kept newest first."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import msgspec

from services.trigger.domain.customers import Customer
from services.trigger.domain.facts import said_at
from services.trigger.domain.occasions import Occasion
from services.trigger.domain.schedules import slot_of
from shared.columns import insert_all

CONTACT: Final = {
    "customer_id": "text",
    "email": "text",
    "phone": "text",
    "locale": "text",
    "timezone": "text",
    "country": "text",
    "touchpoint": "text",
    "segments": "text",
    "slot": "double precision",
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
    {"segments": "r.segments::jsonb"},
    "ON CONFLICT (customer_id) DO UPDATE SET "
    + ", ".join(map(_newer, ("email", "phone", "locale", "timezone", "country", "touchpoint")))
    + ", segments = CASE WHEN excluded.seen_at >= contacts.seen_at"
    " THEN contacts.segments || excluded.segments ELSE excluded.segments || contacts.segments END"
    ", slot = excluded.slot, seen_at = greatest(excluded.seen_at, contacts.seen_at)",
)
CONSENT: Final = {
    "customer_id": "text",
    "channel": "text",
    "said": "boolean",
    "at": "timestamptz",
    "source": "text",
    "event_id": "text",
}
# the newest counts, and of a yes and a no at the same time the no
KEEP_CONSENTS: Final = insert_all(
    "consents",
    CONSENT,
    {},
    "ON CONFLICT (customer_id, channel) DO UPDATE SET said = excluded.said, at = excluded.at,"
    " source = excluded.source, event_id = excluded.event_id"
    " WHERE (excluded.at, NOT excluded.said) > (consents.at, NOT consents.said)",
)


def contact_rows(occasions: Sequence[Occasion]) -> list[tuple[Any, ...]]:
    """One row a customer, ids sorted: the newest event's, gaps filled by older ones."""
    found: dict[str, tuple[Customer, Occasion]] = {}
    for occasion in sorted(occasions, key=lambda o: o.event.time):
        customer = occasion.customer
        if customer is None:
            continue
        before = found.get(customer.id)
        found[customer.id] = (_filled(customer, before[0]) if before else customer, occasion)
    return [_contact(*found[key]) for key in sorted(found)]


def _filled(customer: Customer, before: Customer) -> Customer:
    return replace(
        customer,
        email=customer.email or before.email,
        phone=customer.phone or before.phone,
        locale=customer.locale or before.locale,
        timezone=customer.timezone or before.timezone,
        country=customer.country or before.country,
    )


def _contact(customer: Customer, occasion: Occasion) -> tuple[Any, ...]:
    return (
        *(customer.id, customer.email, customer.phone, customer.locale),
        *(customer.timezone, customer.country, occasion.touchpoint),
        msgspec.json.encode(occasion.segments).decode(),
        slot_of(customer.id),
        occasion.event.time,
    )


def consent_rows(occasions: Sequence[Occasion], now: datetime) -> list[tuple[Any, ...]]:
    """The newest word of each customer on each channel, sorted."""
    found: dict[tuple[str, str], tuple[Any, ...]] = {}
    for occasion in sorted(occasions, key=lambda o: o.event.time):
        customer, event = occasion.customer, occasion.event
        at = said_at(event.time, now)
        for channel, said in (customer.consent if customer else {}).items():
            key = (customer.id if customer else "", channel)
            kept = found.get(key)
            if kept is None or _word(at, said=said) > _word(kept[3], said=kept[2]):
                found[key] = (*key, said, at, event.source, event.id)
    return [found[key] for key in sorted(found)]


def _word(at: datetime, *, said: bool) -> tuple[datetime, bool]:
    return (at, not said)
