"""Where an event goes, and under which key."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest

from services.ingest.domain.events import key_of, topic_of
from shared.errors import Invalid
from shared.events import Event, Topic


def event(kind: str = "transaction.delivered", customer: Any = None) -> Event:
    data = {} if customer is None else {"customer": customer}
    moment = datetime(2026, 11, 21, tzinfo=UTC)
    return Event(id="e-1", source="/shop", type=kind, time=moment, data=data)


def guest(contact: str) -> str:
    return "guest:" + hashlib.sha256(contact.encode()).hexdigest()


@pytest.mark.parametrize(
    ("kind", "topic"),
    [
        ("transaction.delivered", Topic.TRANSACTIONS),
        ("transaction.our-own", Topic.TRANSACTIONS),
        ("support_call.ended", Topic.SUPPORT_CALLS),
    ],
)
def test_the_prefix_decides_the_topic(kind: str, topic: Topic) -> None:
    assert topic_of(event(kind)) is topic


@pytest.mark.parametrize("kind", ["transaction", "transaction.", "transactions.paid", "order.paid"])
def test_another_prefix_is_refused(kind: str) -> None:
    with pytest.raises(Invalid, match="type"):
        topic_of(event(kind))


@pytest.mark.parametrize(
    ("customer", "key"),
    [
        ({"id": "c-1", "email": "a@example.org"}, "c-1"),
        ({"email": " A@Example.org "}, guest("a@example.org")),
        ({"phone": "+49 151 12"}, guest("+4915112")),
        ({"phone": "0151 12"}, guest("015112")),
        ({"id": "", "email": ""}, "e-1"),
        ({"id": 7, "email": "a@example.org"}, "7"),
        ({"id": True}, "e-1"),
        ("nobody", "e-1"),
        (None, "e-1"),
    ],
)
def test_the_key_is_the_customer_and_never_an_address(customer: Any, key: str) -> None:
    assert key_of(event(customer=customer)) == key
