"""Whatever comes, and however late it is sent: no cap, no quiet hour and no no is passed over."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.trigger_days import Days
from tests.support.trigger_rig import emptied
from tests.support.trigger_witness import Closed, Entry, Heard, Home, Sent, violations
from tests.support.trigger_world import CHANGES, World

pytestmark = pytest.mark.thorough

DAY = timedelta(days=1)
NOON = CHANGES[1] + DAY / 2  # three in the afternoon in Berlin, and morning in New York
HOMES = {"c-1": Home("Europe/Berlin", None), "c-2": Home(None, "US")}


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with emptied(database_url) as engine:
        yield engine


async def test_what_is_sent_may_be_sent(engine: AsyncEngine) -> None:
    days = Days(engine, World(seed=1, people=100))

    for change in CHANGES[1:3]:
        await days.live(change - DAY / 2, change + DAY / 2, timedelta(minutes=71), 1000)

    sent = [entry for entry in days.log if isinstance(entry, Sent)]
    assert violations(days.log, days.world.homes) == []
    assert len(sent) > 100
    assert {"too-many-recently", "quiet-hours", "no-consent", "opted-out"} <= set(days.reasons)


def heard(kind: str = "paid", *, customer: str = "c-1", minutes: int = 0, **yes: bool) -> Heard:
    at = NOON + timedelta(minutes=minutes)
    return Heard(NOON, customer, "o-1", f"transaction.{kind}", at, yes)


def sent(number: int = 1, *, at: datetime = NOON, **changes: Any) -> Sent:
    usual = {"survey": "post-delivery", "trigger": "delivered", "customer": "c-1"}
    rest = {"subject": f"o-{number}", "channel": "webhook", "agent": None, "event_time": NOON}
    return Sent(at=at, id=f"i-{number}", **{**usual, **rest, **changes})


CALL: dict[str, Any] = {"survey": "post-call", "trigger": "call"}
EFFORT: dict[str, Any] = {"survey": "effort", "trigger": "shipped"}
YES, NO = heard(email=True), heard(email=False, minutes=1)


@pytest.mark.parametrize(
    ("log", "fault"),
    [
        ([sent()], None),
        ([YES, sent(channel="email")], None),
        ([sent(channel="email")], "consent"),
        ([NO, YES, sent(channel="email")], "consent"),
        ([heard(webhook=False), sent()], "consent"),
        ([Closed(NOON, "c-1", ("webhook",)), sent()], "opted out"),
        ([Closed(NOON, "c-1", ()), sent()], "opted out"),
        ([Closed(NOON, "c-1", ("email",)), sent(), Closed(NOON, "c-1", ())], None),
        ([heard("refunded"), sent()], "cancelled"),
        ([heard("refunded", customer="", minutes=1), sent()], "cancelled"),
        ([heard("refunded", minutes=-1), heard("refunded", customer="c-2"), sent()], None),
        ([sent(at=NOON - timedelta(hours=7))], None),  # eight o'clock, for the clocks went on
        ([sent(at=NOON - timedelta(hours=7, seconds=1))], "quiet"),
        ([sent(customer="c-2")], "quiet"),
        ([sent(customer="c-2", at=NOON + timedelta(hours=5))], None),  # from 8 in Hawaii on
        ([sent(customer="c-2", **CALL)], None),
        ([sent(), sent(at=NOON + 9 * DAY)], "twice"),
        ([sent(), sent(2, at=NOON + 3 * DAY)], None),
        ([sent(), sent(2, at=NOON + 3 * DAY - timedelta(minutes=1))], "cap of a survey"),
        ([sent(n, **CALL) for n in (1, 2)], None),
        ([sent(n, **CALL) for n in (1, 2, 3)], "cap of a customer"),
        ([sent(n, **EFFORT) for n in (1, 2)], "cap of a channel"),
        ([sent(n, customer=f"c-{n % 2 + 1}-", agent="a", **CALL) for n in range(6)], "agent"),
    ],
)
def test_the_witness_sees_what_must_not_be(log: Sequence[Entry], fault: str | None) -> None:
    homes = {**HOMES, "c-1-": HOMES["c-1"], "c-2-": HOMES["c-1"]}
    found = violations(log, homes)

    if fault is None:
        assert found == []
    else:
        assert any(fault in one for one in found)
