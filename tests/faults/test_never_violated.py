"""No cap, no quiet hour and no no is passed over: 100,000 events, two changes of two clocks.

On real PostgreSQL with emitters' clocks that are an hour wrong, parts that are away for hours, and
letters that fail; `tests.support.trigger_witness` judges without any of trigger's code.
"""

import time
from collections import Counter
from datetime import timedelta

import pytest

from tests.faults.conftest import Say
from tests.support.trigger_days import Days
from tests.support.trigger_rig import emptied
from tests.support.trigger_witness import Sent, violations
from tests.support.trigger_world import CHANGES, World

EVENTS = 100_000
PEOPLE = 1_000
DAY = timedelta(days=1)
STEP = timedelta(minutes=31)


@pytest.mark.slow
async def test_nothing_is_sent_that_must_not_be_sent(database_url: str, say: Say) -> None:
    began = time.perf_counter()
    async with emptied(database_url) as engine:
        days = Days(engine, World(seed=4, people=PEOPLE))
        for change in CHANGES:
            await days.live(change - DAY, change + DAY, STEP, EVENTS // len(CHANGES))
    lived = time.perf_counter() - began

    sent = [entry for entry in days.log if isinstance(entry, Sent)]
    found = violations(days.log, days.world.homes)

    say(f"{days.heard} events, {len(sent)} letters, {len(found)} violations in {lived:.0f} s")
    say(dict(days.reasons.most_common()))
    assert found == []
    assert days.heard == EVENTS
    assert Counter(one.channel for one in sent)["email"] > EVENTS // 100
