"""Events are kept without addresses: what stands in for them, so that they reach whom they did."""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from services.trigger.domain.customers import GUEST, Customer, guest_id
from services.trigger.domain.occasions import Occasion, read_occasion
from shared.events import Event
from shared.programme.models import Trigger
from shared.programme.syntax import Name, walk

_DOMAIN: Final = "@guest.invalid"
_GUEST: Final = re.compile(re.escape(GUEST) + r"([0-9a-f]{64})")
_NOBODY: Final = "0" * 64
_ADDRESSES: Final = frozenset({"event.customer.email", "event.customer.phone"})


def stand_in(
    data: dict[str, Any], customer_id: str | None, reach: Collection[str]
) -> dict[str, Any]:
    """An event's data with made-up addresses in place of those that it had.

    The id of a customer without one is a hash of the address: it stands in the made-up one, where
    `read_kept` finds it, also when events have been merged.
    """
    customer = data.get("customer")
    if customer_id is None or not isinstance(customer, dict):
        return data
    found = _GUEST.fullmatch(customer_id)
    digest = found[1] if found else _NOBODY
    made_up: dict[str, str] = {}
    if "email" in reach:
        made_up["email"] = f"{digest}{_DOMAIN}"
    if "sms" in reach:
        made_up["phone"] = f"{int(digest, 16):078d}"
    return {**data, "customer": {**customer, **made_up}}


def read_kept(event: Event, dimensions: Mapping[str, str | None]) -> Occasion:
    """`read_occasion` for an event with made-up addresses: its customer has the own id."""
    occasion = read_occasion(event, dimensions)
    customer = occasion.customer
    if customer is None or customer.id != guest_id(customer.email, customer.phone):
        return occasion
    return replace(occasion, customer=replace(customer, id=GUEST + _digest(customer)))


def reads_addresses(trigger: Trigger) -> bool:
    """Whether a trigger's rule asks for what is not kept."""
    return any(isinstance(n, Name) and n.name in _ADDRESSES for n in walk(trigger.when.tree))


def _digest(customer: Customer) -> str:
    if customer.email is not None:
        return customer.email.removesuffix(_DOMAIN)
    return f"{int(customer.phone or 0):064x}"
