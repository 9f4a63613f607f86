"""What grows is deleted when it is old; whom a question waits for is not forgotten meanwhile."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.handlers import Desk, on_due
from services.trigger.store.ledger import SqlLedger
from services.trigger.store.retention import Keeping, delete_old
from shared.events import SurveyDecision
from tests.support.trigger import CHANNELS, NOW, later
from tests.support.trigger_rig import Rig, emptied

KEEPING = Keeping(dedupe=timedelta(days=40), retention=timedelta(days=400))
TABLES = ("occasions", "cancelling", "group_asks", "groups", "consents", "contacts", "waiting")
OCCASION = "source, event_id, type, time, reach, data, heard_at"
ROWS = (
    f"occasions ({OCCASION}) SELECT '/s', n::text, 't', at, '{{}}', '{{}}', at",
    "cancelling SELECT 's' || n, '', 't', at",
    "group_asks SELECT 'queue', 'a', at, 'i-' || n",
    "groups SELECT 'queue', n::text, at",
    "consents SELECT 'c-' || n, 'email', true, at, '/s', n::text",
    "consents SELECT 'c-' || n, 'webhook', false, at, '/s', n::text",
    "contacts (customer_id, seen_at) SELECT 'c-' || n, at",
)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with emptied(database_url) as engine:
        async with engine.begin() as connection:
            await connection.execute(sa.text(f"TRUNCATE {', '.join(TABLES)}"))
        yield engine


async def count(engine: AsyncEngine, table: str) -> int:
    async with engine.connect() as connection:
        return int(await connection.scalar(sa.text(f"SELECT count(*) FROM {table}")) or 0)


async def test_what_grows_goes_when_it_is_old_and_a_no_never(engine: AsyncEngine) -> None:
    """Of each 6,000 old, which is more than one batch, and 2 new; of consents a yes and a no."""
    made = (
        "generate_series(1, 6002) n, LATERAL (SELECT CASE WHEN n > 6000"
        " THEN CAST(:new AS timestamptz) ELSE CAST(:old AS timestamptz) END AS at) t"
    )
    async with engine.begin() as connection:
        for rows in ROWS:
            insert = sa.text(f"INSERT INTO {rows} FROM {made}".replace("::", "\\:\\:"))
            await connection.execute(insert, {"old": NOW, "new": later(days=401)})

    deleted = await delete_old(engine, KEEPING, later(days=401))

    known = ("occasions", "cancelling", "group_asks", "groups", "contacts", "consents")
    assert {table: deleted[table] for table in known} == dict.fromkeys(known, 6000)
    assert await count(engine, "consents WHERE said") == 2
    assert await count(engine, "consents WHERE NOT said") == 6002


async def test_who_agreed_and_is_still_known_is_not_forgotten(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        said = "INSERT INTO consents VALUES ('c-1', 'email', true, :at, '/s', '1')"
        seen = "INSERT INTO contacts (customer_id, seen_at) VALUES ('c-1', :at)"
        await connection.execute(sa.text(said), {"at": NOW})
        await connection.execute(sa.text(seen), {"at": later(days=10)})

    assert (await delete_old(engine, KEEPING, later(days=401)))["consents"] == 0
    assert (await delete_old(engine, KEEPING, later(days=411)))["consents"] == 1


async def test_what_waits_for_longer_than_all_is_kept_is_asked_and_concluded(
    engine: AsyncEngine,
) -> None:
    rig = Rig(engine)
    await rig.book(trigger={"delay": timedelta(days=500)})
    told: list[SurveyDecision] = []

    async def publish(decisions: object) -> None:
        assert isinstance(decisions, list)
        told.extend(decisions)

    now = later(days=500)
    deleted = await delete_old(engine, KEEPING, now - timedelta(minutes=1))
    async with engine.begin() as connection:
        desk = Desk(rig.programme, CHANNELS, now)
        await on_due(10, SqlLedger(connection), publish, desk)

    assert (deleted["events"], deleted["customers"], deleted["decisions"]) == (1, 0, 0)
    assert [decision.reason for decision in told] == ["asked"]
    assert await rig.reason() == "asked"
    assert await count(engine, "contacts") == 1
    later_on = await delete_old(engine, KEEPING, now + timedelta(days=41))
    assert (later_on["customers"], later_on["contacts"]) == (1, 0)
