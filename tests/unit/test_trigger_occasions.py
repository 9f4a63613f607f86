"""Whom an event is about, and what it is about."""

from typing import Any

import pytest

from services.trigger.domain.customers import looks_like_contact
from services.trigger.domain.occasions import invitation_id, read_occasion
from shared.events import Event
from tests.support.trigger import NOW


def occasion(subject: str | None = None, **data: Any) -> Any:
    event = Event(
        id="e-1", source="/s", type="transaction.paid", time=NOW, subject=subject, data=data
    )
    return read_occasion(event, {})


@pytest.mark.parametrize(
    ("data", "subject", "found"),
    [
        ({"transaction": {"id": "o-1"}, "call": {"id": "k-1"}}, "s-1", "o-1"),
        ({"transaction": {"id": 77}}, "s-1", "77"),
        ({"call": {"id": "k-1"}}, "s-1", "k-1"),
        ({"transaction": {}}, "s-1", "s-1"),
        ({}, None, "e-1"),
    ],
)
def test_the_subject_is_the_transaction_the_call_the_subject_or_the_event(
    data: dict[str, Any], subject: str | None, found: str
) -> None:
    assert occasion(subject, **data).subject_id == found


def test_a_guest_is_known_again_by_their_address() -> None:
    first = occasion(customer={"email": "Ann@Example.org"})
    again = occasion(customer={"email": "ann@example.org", "phone": "+49 151 1234567"})
    by_phone = occasion(customer={"phone": "+49 (151) 123-4567"})

    assert first.customer_id == again.customer_id
    assert first.customer_id.startswith("guest:")
    assert len(first.customer_id) == len("guest:") + 64
    assert by_phone.customer.phone == "+491511234567"
    assert by_phone.customer_id != first.customer_id


@pytest.mark.parametrize("data", [{}, {"customer": {}}, {"customer": {"email": "nowhere"}}])
def test_an_event_that_names_nobody_has_no_customer(data: dict[str, Any]) -> None:
    assert occasion(**data).customer is None


@pytest.mark.parametrize(
    ("customer_id", "like"),
    [
        ("ann@example.org", True),
        ("+49 151 1234567", True),
        ("0049151123456", True),
        ("c-1001", False),
        ("1001234567", False),
        ("guest:ab12", False),
    ],
)
def test_ids_that_look_like_contact_data_are_noticed(customer_id: str, *, like: bool) -> None:
    assert looks_like_contact(customer_id) is like


def test_an_invitations_id_depends_on_survey_customer_and_subject_only() -> None:
    ids = {invitation_id(*parts) for parts in (("s", "c", "o"), ("s", "c", "p"), ("s", "co", ""))}

    assert len(ids) == 3
    assert invitation_id("s", "c", "o") == invitation_id("s", "c", "o")
    assert all(len(i) == 28 and i.startswith("i-") and i == i.lower() for i in ids)
