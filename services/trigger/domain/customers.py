"""Who an event is about and how they can be reached."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_EMAIL = re.compile(
    r"[^\s<>()\[\]\\,;:@\"\x00-\x1f\x7f-\U0010ffff]{1,64}@[^\s<>()\[\],;:@\"\\]{1,253}"
)
_LIKE_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_LIKE_PHONE = re.compile(r"(\+|00)[\d\s().-]{7,20}")
_NO_DIGIT = re.compile(r"\D")
GUEST = "guest:"


@dataclass(frozen=True, slots=True)
class Customer:
    """One customer as an event shows them. `consent` holds only what was said, by channel."""

    id: str
    email: str | None = None
    phone: str | None = None
    locale: str | None = None
    timezone: str | None = None
    country: str | None = None
    consent: Mapping[str, bool] = field(default_factory=dict)

    def reached_by(self, channel: str) -> bool:
        """Whether there is an address for the channel; a webhook needs none."""
        match channel:
            case "email":
                return self.email is not None
            case "sms":
                return self.phone is not None
            case _:
                return True


def clean_id(text: str) -> str:
    """An id without control characters and outer spaces: as events and suppressions keep it."""
    return "".join(filter(str.isprintable, text)).strip()


def clean_email(text: str | None) -> str | None:
    """The address, if it is one that mail can be sent to; else None."""
    address = (text or "").strip()
    return address if _EMAIL.fullmatch(address) else None


def clean_phone(text: str | None) -> str | None:
    """The number in digits, with its leading plus; None under 5 digits."""
    number = (text or "").strip()
    digits = _NO_DIGIT.sub("", number)
    if len(digits) < 5:
        return None
    return f"+{digits}" if number.startswith("+") else digits


def guest_id(email: str | None, phone: str | None) -> str | None:
    """The id of a customer who has none: a hash of the address, so that it repeats."""
    contact = email.lower() if email else phone
    if contact is None:
        return None
    return GUEST + hashlib.sha256(contact.encode()).hexdigest()


def looks_like_contact(customer_id: str) -> bool:
    """Whether an id that should be opaque looks like an e-mail address or a phone number."""
    return bool(_LIKE_EMAIL.fullmatch(customer_id) or _LIKE_PHONE.fullmatch(customer_id))
