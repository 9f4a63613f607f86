"""Real events decided on as they happened, by programmes as a shop and a contact centre have them.

`EARSHOT_TEST_DAYS` takes more days of each file than the ten of every test; `-s` shows the tables.
"""

import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.events import Event
from tests.support.relived import CALLS, ORDERS, Life, events_of, realistic
from tests.support.replays import explained, table_of, unexplained
from tests.support.trigger_api import client_of, opened_core

pytestmark = [pytest.mark.real_data, pytest.mark.timeout(3_600)]

DAYS = int(os.environ.get("EARSHOT_TEST_DAYS", "10"))
SETS: Mapping[str, tuple[str, str, datetime, timedelta]] = {
    "pwc_calls": (
        CALLS,
        "agent,topic,resolved",
        datetime(2021, 1, 1, tzinfo=UTC),
        timedelta(hours=1),
    ),
    "olist": (
        ORDERS,
        "state,category,status,seller_state",
        datetime(2017, 11, 20, tzinfo=UTC),
        timedelta(hours=3),
    ),
}
SAID = {
    "pwc_calls": {"zone": "Europe/London", "group": "agent", "most": "4"},
    "olist": {"zone": "America/Sao_Paulo", "group": "seller_state", "most": "10"},
}


def ten_days(events: list[Event], since: datetime) -> list[Event]:
    if "EARSHOT_TEST_DAYS" in os.environ:
        since = events[0].time
    return [event for event in events if since <= event.time < since + timedelta(days=DAYS)]


@pytest.mark.parametrize("name", SETS)
async def test_every_event_is_explained_and_nothing_is_left_undecided(
    name: str, real_data: Path, database_url: str, tmp_path: Path
) -> None:
    triggers, written, since, step = SETS[name]
    dimensions = written.split(",")
    programme = realistic(tmp_path, triggers, dimensions, **SAID[name])
    events = ten_days(events_of(real_data / name / "events.csv.gz", dimensions), since)
    assert len(events) > 400
    async with opened_core(database_url, tmp_path) as core, client_of(core) as client:
        life = Life(core.engine, programme)
        await life.live(events, step)

        async def page_of(params: dict[str, str]) -> Any:
            return (await client.get("/v1/decisions", params=params)).raise_for_status().json()

        found = await explained(page_of)

    sys.stdout.write(f"\n{name}, by the clock of its events: {table_of(found)}\n")
    assert unexplained(found, (event.id for event in events)) == []
    listened = {kind: len(found) for kind, found in programme.triggers_of.items()}
    for event in events:
        assert len(found[event.id]) == listened.get(event.type, 1)
    decisions = [item for items in found.values() for item in items]
    assert not {"delayed", "settling"} & {item["reason"] for item in decisions}
    asked = {item["invitation_id"] for item in decisions if item["decision"] != "suppressed"}
    assert {letter.id for letter in life.courier.letters} == asked
    assert len(life.courier.letters) == len(asked) > 100
