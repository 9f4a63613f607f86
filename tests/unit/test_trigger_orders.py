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
from shared.programme.models import Programme
from tests.support.trigger import NOW
from tests.support.trigger_life import ALL, DELIVERED, LATER, MINUTE, SETTLED, Life, asking

LAST = 4  # the minute of the last batch; nothing that waits is due before
PEOPLE: tuple[dict[str, Any], ...] = (
    {"id": "c-1", "email": "ann@example.org"},
    {"id": "c-2", "email": "bob@example.org"},
    {"email": "guest@example.org"},
)


ONCE_A_WEEK = Cap(most=1, per=timedelta(days=7))
TWICE_A_WEEK = Cap(most=2, per=timedelta(days=7))
CALLS_APART = Cap(
    most=1, per=timedelta(days=2), each=("customer", "survey"), surveys=("post-call",)
)
PER_REGION = Cap(most=1, per=timedelta(days=1), each=("region",))
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


def _any(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


YES, NO = {"email": True}, {"email": False}
THINGS = st.fixed_dictionaries({"id": _any("o-1", "o-2"), "amount": _any(None, 10, 90, 90)})
CALLS = st.fixed_dictionaries(
    {"id": _any("k-1", "k-2"), "queue": _any("vip", "billing"), "talk_s": _any(10, 90, 90)}
)
SEGMENTS = _any({"region": "EU"}, {"region": "EU"}, {"region": "US"}, {})
MINUTES = _any(-30, -5, -3, -3, 0, 0, 1, 3, 4, 40)


@st.composite
def events(draw: st.DrawFn) -> Event:
    """About few subjects at few moments, so that they meet; emitters' clocks may be ahead."""
    whose = draw(_any(0, 0, 0, 1, 2))
    named = {**PEOPLE[whose], "consent": draw(_any(YES, YES, YES, NO, {}))}
    data = {"customer": draw(_any(named, named, named, None, {"email": "nowhere"}))}
    data["segments"] = draw(SEGMENTS)
    kinds = ("delivered", "shipped", "shipped", "refunded", "ended", "ended", "reopened")
    kind = draw(_any(*kinds))
    part, family, strategy = ("transaction", "transaction", THINGS)
    if kind in {"ended", "reopened"}:
        part, family, strategy = ("call", "support_call", CALLS)
    thing = draw(strategy)
    data[part] = {**thing, "id": f"{thing['id']}-{whose}"}
    return Event(
        id=f"evt-{draw(st.integers(0, 99))}",
        source="/shop",
        type=f"{family}.{kind}",
        time=NOW + draw(MINUTES) * MINUTE,
        data=data,
    )


@st.composite
def hearings(draw: st.DrawFn) -> Heard:
    """Distinct events, each in some minute until the last, and copies."""
    found = draw(st.lists(events(), min_size=2, max_size=9, unique_by=lambda e: e.id))
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


@settings(max_examples=80)
@given(st.sampled_from(PROGRAMMES), hearings(), st.sampled_from([0, 1, 30]))
async def test_what_comes_while_nothing_is_decided_may_come_in_any_order_and_often(
    programme: Programme, heard: Heard, lag: int
) -> None:
    straight = await lived(programme, at_last(heard))

    assert await lived(programme, heard, step=lag * MINUTE) == straight


@settings(max_examples=30)
@given(hearings())
async def test_so_it_may_under_the_cap_of_a_group_where_no_clock_is_ahead_and_nothing_settles(
    heard: Heard,
) -> None:
    known = [[e for e in batch if e.time <= NOW] for batch in heard.batches]
    heard = Heard([e for e in heard.events if e.time <= NOW], known)

    assert await lived(GROUPED, heard) == await lived(GROUPED, at_last(heard))
