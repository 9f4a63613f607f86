"""What is kept of an event's data."""

from services.trigger.domain.keepable import keepable

DATA = {
    "customer": {
        "id": "c-1",
        "name": "Ann Example",
        "email": "ann@example.org",
        "phone": "+4915112345678",
        "address": {"street": "Example Street 1"},
        "locale": "de-DE",
        "consent": {"email": True},
        "tier": "gold",
    },
    "call": {"id": "call-1", "queue": "billing", "talk_s": 120, "resolved": False, "notes": "rang"},
    "contact": {"email": "ann@example.org"},
    "segments": {"region": "EU"},
    "touchpoint": "call",
}


def test_what_decides_is_kept_and_nothing_by_which_a_person_is_reached() -> None:
    kept = keepable(DATA, {"region": None, "queue": "call.queue"})

    assert kept == {
        "customer": {"id": "c-1", "locale": "de-DE", "consent": {"email": True}},
        "call": {"id": "call-1", "queue": "billing", "talk_s": 120, "resolved": False},
        "segments": {"region": "EU"},
        "touchpoint": "call",
    }


def test_what_the_programme_makes_a_dimension_is_kept_with_the_rest() -> None:
    assert keepable(DATA, {"tier": "customer.tier"})["customer"]["tier"] == "gold"


def test_parts_of_another_shape_are_passed_over() -> None:
    assert keepable({"customer": "ann", "call": None}, {"x": "customer.tier"}) == {}
