"""What waits is decided when it is due: in which order, with what, and what comes too late."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from services.trigger.domain.invitations import Invitation
from shared.events import Event
from shared.programme.asking import Cap
from tests.support.trigger import NOW
from tests.support.trigger_life import ALL, DELIVERED, MINUTE, SETTLED, Life, asking

ONCE = Cap(most=1, per=timedelta(days=7))
KINDS = {"ended": "support_call", "reopened": "support_call"}
Heard = tuple[int, Event]  # in which minute


def said(kind: str, about: str, minute: float, **data: Any) -> Event:
    """An event at a minute after NOW, of ann's unless `customer` says otherwise."""
    family = KINDS.get(kind, "transaction")
    part = {"id": about, "queue": "billing", "talk_s": 90} if family != "transaction" else {}
    customer = {"id": "c-1", "email": "ann@example.org", "consent": {"email": True}}
    contents: dict[str, Any] = {
        "customer": customer,
        "call" if part else "transaction": part or {"id": about, "amount": 90},
        "segments": {"region": "EU"},
    }
    return Event(
        id=f"{kind}-{about}-{minute}",
        source="/shop",
        type=f"{family}.{kind}",
        time=NOW + minute * MINUTE,
        data={**contents, **data},
    )


def nobody(kind: str, about: str, minute: float, **data: Any) -> Event:
    return said(kind, about, minute, **{"customer": None, **data})


async def asked(heard: Sequence[Heard], *caps: Cap, **triggers: Any) -> list[Invitation]:
    life = Life(asking(*caps, **(triggers or ALL)))
    for minute in sorted({minute for minute, _ in heard}):
        await life.hear(NOW + minute * MINUTE, [e for at, e in heard if at == minute])
    await life.pass_until(NOW + timedelta(hours=3))
    assert not life.ledger.waiting
    return life.asked


async def subjects(heard: Sequence[Heard], *caps: Cap, **triggers: Any) -> list[str]:
    return sorted(invitation.subject_id for invitation in await asked(heard, *caps, **triggers))


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (said("ended", "k-1", -2), said("ended", "k-2", -1)),
        (said("delivered", "o-1", -2), said("delivered", "o-2", -1)),
        (said("delivered", "o-1", 40), said("delivered", "o-2", 41)),  # ahead of our clock
        (said("shipped", "o-1", -2), said("shipped", "o-2", -1)),
        (said("shipped", "o-1", 1), said("delivered", "o-2", -1)),  # planned at 3 and at 11
    ],
)
async def test_under_a_cap_the_one_whose_time_comes_first_wins_in_either_order(
    first: Event, second: Event, *, turned: bool
) -> None:
    order = (second, first) if turned else (first, second)
    in_one_batch = [(0, each) for each in order]
    apart = [(minute, each) for minute, each in enumerate(order)]

    assert await subjects(in_one_batch, ONCE) == [_about(first)]
    if first.type != "support_call.ended":
        assert await subjects(apart, ONCE) == [_about(first)]


def _about(event: Event) -> str:
    part = event.data.get("transaction") or event.data["call"]
    return str(part["id"])


@pytest.mark.parametrize("kind", ["ended", "delivered"])
async def test_of_a_group_no_more_are_asked_at_once_than_its_cap_has_room(kind: str) -> None:
    per_region = Cap(most=2, per=timedelta(days=1), each=("region",))
    people = [{"id": f"c-{n}", "email": "a@b.example", "consent": {"email": True}} for n in "123"]
    heard = [(0, said(kind, f"x-{n}", -n, customer=who)) for n, who in enumerate(people)]

    assert await subjects(heard, per_region) == ["x-1", "x-2"]


async def test_what_settles_holds_what_stands_after_it() -> None:
    """Else it would be the later one that is asked, because the earlier one's parts came late."""
    parts = [(0, said("shipped", "o-1", -3)), (7, said("shipped", "o-1", -2))]
    heard = [*parts, (1, said("delivered", "o-2", 1))]  # due at 17, and at 13

    assert await subjects(heard, ONCE) == ["o-1"]


async def test_the_parts_of_a_subject_are_merged_by_their_times() -> None:
    old = said("shipped", "o-1", -3, segments={"region": "US", "product": "shoes"})
    new = said("shipped", "o-1", -2, transaction={"id": "o-1", "amount": None})
    heard = [(0, new), (5, old)]

    (found,) = await asked(heard, settled=SETTLED)

    assert found.segments == {"region": "EU", "product": "shoes"}
    assert found.event.id == old.id
    assert found.send_at == NOW + 15 * MINUTE


@pytest.mark.parametrize("who", [None, {}, {"email": "nowhere", "id": None}])
@pytest.mark.parametrize("minute", [-3, -1])
async def test_a_part_that_names_nobody_belongs_to_the_customer_of_its_subject(
    who: dict[str, Any] | None, minute: int
) -> None:
    whose = {"customer": {"email": "guest@example.org", "consent": {"email": True}}}
    bare = said("shipped", "o-1", -2, transaction={"id": "o-1", "amount": 10}, **whose)
    part = nobody("shipped", "o-1", minute, customer=who, segments={"product": "shoes"})
    heard = [(0, bare), (1, part)]

    found = await asked(heard, settled={**SETTLED, "when": "event.segments['region'] == 'EU'"})

    assert [i.customer_id[:6] for i in found] == ["guest:"]
    assert [i.segments for i in found] == [{"region": "EU", "product": "shoes"}]


async def test_what_no_longer_has_a_trigger_is_dropped_with_its_reason() -> None:
    life = Life(asking(**ALL))
    await life.hear(NOW, [said("delivered", "o-1", 0)])
    again = Life(asking(settled=SETTLED))
    again.ledger = life.ledger

    await again.pass_until(NOW + timedelta(hours=1))
    (waits,) = again.ledger.decisions.values()
    await again.pass_until(NOW + timedelta(hours=2))

    assert waits.reason == "delayed"  # another replica may have the trigger still
    (decision,) = again.ledger.decisions.values()
    assert (decision.trigger, decision.reason) == ("delivered", "no-trigger")
    assert not again.ledger.waiting


async def test_a_decision_stands_when_an_earlier_event_comes_after_it() -> None:
    """Not guaranteed, and so it stands in the module: what is late finds the cap full."""
    heard = [(0, said("delivered", "o-2", 0)), (13, said("delivered", "o-1", -1))]

    assert await subjects(heard, ONCE, delivered=DELIVERED) == ["o-2"]


async def test_what_need_not_wait_is_asked_before_what_waits() -> None:
    heard = [(0, said("shipped", "o-1", -3)), (1, said("ended", "k-1", 1))]

    assert await subjects(heard, ONCE, **ALL) == ["k-1"]


@pytest.mark.parametrize("minute", [0, 5, 11])
@pytest.mark.parametrize("whose", [{}, {"customer": None}])
async def test_what_cancels_comes_before_or_after_what_it_cancels(
    minute: int, whose: dict[str, Any]
) -> None:
    refund = said("refunded", "o-1", 2, **whose)
    other = said("refunded", "o-2", -9)  # before what it is about: it cancels nothing
    heard = [(3, said("delivered", f"o-{n}", 1)) for n in (1, 2)]

    assert await subjects([*heard, (minute, refund), (minute, other)]) == ["o-2"]


@pytest.mark.parametrize("turned", [False, True])
async def test_parts_of_other_types_add_what_they_know_and_ask_nothing_alone(turned: bool) -> None:
    joined = {**SETTLED, "settle_with": ["transaction.paid"]}
    bare = said("shipped", "o-1", 0, transaction={"id": "o-1"})
    paid = nobody("paid", "o-1", 1, transaction={"id": "o-1", "amount": 80})
    alone = said("paid", "o-2", 1)
    heard = [(1, bare), (0, paid), (0, alone)] if turned else [(0, bare), (1, paid), (1, alone)]
    life = Life(asking(settled=joined))

    for minute, event in sorted(heard, key=lambda pair: pair[0]):
        await life.hear(NOW + minute * MINUTE, [event])
    await life.pass_until(NOW + timedelta(hours=1))

    assert [(i.subject_id, i.customer_id) for i in life.asked] == [("o-1", "c-1")]
    reasons = {d.event.id: d.reason for d in life.ledger.decisions.values()}
    assert (reasons[bare.id], reasons[paid.id]) == ("asked", "asked-already")
    assert reasons[alone.id] == "rule-not-met"
