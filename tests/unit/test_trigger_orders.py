"""Any order and repetition of a customer's events asks the same, in a batch or while they wait.

What is promised, and what is not, stands in `services.trigger.handlers.due`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.events import Event
from shared.programme.asking import Cap
from shared.programme.models import Programme, Trigger
from tests.support.trigger import NOW, programme
from tests.support.trigger_life import Life

MINUTE = timedelta(minutes=1)
LAST = 4  # the minute of the last batch; nothing that waits is due before
AT_ONCE = {"on": "support_call.ended", "when": "event.call.talk_s >= 60", "survey": "post-call"}
LATER = {
    "on": "support_call.ended",
    "when": "event.call.queue != 'vip'",
    "survey": "post-call",
    "delay": "9m",
    "cancel_on": ["support_call.reopened"],
}
DELIVERED = {
    "on": "transaction.delivered",
    "survey": "post-delivery",
    "delay": "12m",
    "cancel_on": ["transaction.refunded"],
}
SETTLED = {
    "on": "transaction.shipped",
    "when": "event.transaction.amount >= 50 && event.segments['region'] == 'EU'",
    "survey": "effort",
    "delay": "2m",
    "settle": "10m",
    "cancel_on": ["transaction.refunded"],
}
PEOPLE: tuple[dict[str, Any], ...] = (
    {"id": "c-1", "email": "ann@example.org"},
    {"id": "c-2", "email": "bob@example.org"},
    {"email": "guest@example.org"},
)


def asking(*caps: Cap, **triggers: dict[str, Any]) -> Programme:
    found = {
        key: Trigger(key=key, **{"delay": "0s", "cancel_on": [], "channels": ["email"], **written})
        for key, written in triggers.items()
    }
    needed = ("email",)
    return programme(triggers=found, caps=caps, quiet_hours=None, consent_required=needed)


ALL = {"at_once": AT_ONCE, "later": LATER, "delivered": DELIVERED, "settled": SETTLED}
ONCE_A_WEEK = Cap(most=1, per=timedelta(days=7))
TWICE_A_WEEK = Cap(most=2, per=timedelta(days=7))
CALLS_APART = Cap(
    most=1, per=timedelta(days=2), each=("customer", "survey"), surveys=("post-call",)
)
PER_REGION = Cap(most=2, per=timedelta(days=1), each=("region",))
PROGRAMMES = [
    asking(ONCE_A_WEEK, **ALL),
    asking(TWICE_A_WEEK, CALLS_APART, **ALL),
    asking(ONCE_A_WEEK, delivered=DELIVERED, settled={**SETTLED, "delay": "0s"}),
]
GROUPED = asking(PER_REGION, delivered=DELIVERED, later=LATER)


@dataclass(frozen=True)
class Heard:
    """What came in which minute, with repeats, and what it was without."""

    events: Sequence[Event]
    batches: Sequence[Sequence[Event]]


def _late(event: Event) -> bool:
    """Whether something about it is decided as it comes: then it comes with the last."""
    overdue = event.time + 12 * MINUTE <= NOW + LAST * MINUTE
    return event.type == "support_call.ended" or (event.type == "transaction.delivered" and overdue)


@st.composite
def events(draw: st.DrawFn) -> Event:
    """About few subjects at few moments, so that they meet; emitters' clocks may be ahead."""
    whose = draw(st.integers(0, 2))
    number = draw(st.integers(0, 99))
    kinds = ["delivered", "shipped", "shipped", "shipped", "refunded"]
    kind = draw(st.sampled_from([*kinds, "ended", "reopened"]))
    thing = f"{whose}-{draw(st.integers(0, 1))}"
    named = draw(st.integers(0, 5)) > 0
    said = draw(st.sampled_from([{}, {"email": True}, {"email": True}, {"email": False}]))
    data: dict[str, Any] = {"customer": {**PEOPLE[whose], "consent": said}} if named else {}
    data["segments"] = draw(st.sampled_from([{}, {"region": "EU"}, {"region": "US"}]))
    if kind in {"ended", "reopened"}:
        queue, talk = draw(st.sampled_from(["vip", "billing"])), draw(st.sampled_from([10, 90]))
        data["call"] = {"id": f"call-{thing}", "queue": queue, "talk_s": talk}
        family = "support_call"
    else:
        amount = draw(st.sampled_from([None, 10, 90]))
        data["transaction"] = {"id": f"order-{thing}", "amount": amount}
        family = "transaction"
    minute = draw(st.sampled_from([-30, -5, -3, -3, 0, 1, 3, 4, 40]))
    return Event(
        id=f"evt-{number}",
        source="/shop",
        type=f"{family}.{kind}",
        time=NOW + minute * MINUTE,
        data=data,
    )


@st.composite
def hearings(draw: st.DrawFn) -> Heard:
    """Distinct events, each in some minute until the last, and copies."""
    found = draw(st.lists(events(), min_size=1, max_size=9, unique_by=lambda e: e.id))
    batches: list[list[Event]] = [[] for _ in range(LAST + 1)]
    for event in draw(st.permutations(found)):
        first = LAST if _late(event) else 0
        for minute in draw(st.lists(st.integers(first, LAST), min_size=1, max_size=2)):
            batches[minute].insert(draw(st.integers(0, len(batches[minute]))), event)
    return Heard(found, batches)


def at_last(heard: Heard) -> Heard:
    """The same without repetition, all in one batch."""
    return Heard(heard.events, [*([] for _ in range(LAST)), heard.events])


async def lived(programme: Programme, heard: Heard, **how: timedelta) -> list[tuple[Any, ...]]:
    """What was asked in the end, and how, but for when."""
    life = Life(programme, **how)
    for minute, batch in enumerate(heard.batches):
        await life.hear(NOW + minute * MINUTE, batch)
    await life.hear(NOW + 300 * MINUTE, heard.events)
    assert not life.ledger.waiting
    found = [
        (i.survey, i.customer_id, i.subject_id, i.trigger, i.event, i.segments, i.basis)
        for i in life.asked
    ]
    about = [one[:3] for one in found]
    assert len(set(about)) == len(about)
    return found


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(PROGRAMMES), hearings(), st.sampled_from([0, 1, 30]))
async def test_what_comes_while_nothing_is_decided_may_come_in_any_order_and_often(
    programme: Programme, heard: Heard, lag: int
) -> None:
    straight = await lived(programme, at_last(heard))

    assert await lived(programme, heard, step=lag * MINUTE) == straight


@settings(max_examples=50, deadline=None)
@given(hearings())
async def test_so_it_may_under_the_cap_of_a_group_where_no_clock_is_ahead_and_nothing_settles(
    heard: Heard,
) -> None:
    known = [[e for e in batch if e.time <= NOW] for batch in heard.batches]
    heard = Heard([e for e in heard.events if e.time <= NOW], known)

    assert await lived(GROUPED, heard) == await lived(GROUPED, at_last(heard))
