"""Nothing is sent by a channel that was refused after the decision, on real PostgreSQL."""

from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.domain.invitations import Status
from tests.support.trigger import NOW, later, postponed
from tests.support.trigger_rig import Rig, emptied

OVER = later(hours=1)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with emptied(database_url) as engine:
        yield engine


@pytest.fixture
def rig(engine: AsyncEngine) -> Rig:
    return Rig(engine)


async def says_no(rig: Rig, *channels: str) -> None:
    statement = sa.text(
        "INSERT INTO consents VALUES ('c-1', :channel, false, :now, '/shop', 'evt-9')"
        " ON CONFLICT (customer_id, channel) DO UPDATE SET said = false, at = excluded.at"
    )
    async with rig.engine.begin() as connection:
        for channel in channels:
            await connection.execute(statement, {"channel": channel, "now": NOW})


async def test_a_no_after_the_decision_closes_the_channel_at_the_claim(rig: Rig) -> None:
    await rig.book()
    await says_no(rig, "email")

    await rig.worker().once()

    assert (rig.mail.ids, len(rig.hook.ids)) == ([], 1)
    assert await rig.tell() == [(3, "sent", "webhook")]


@pytest.mark.parametrize(
    ("refused_by_event", "opted_out", "reason"),
    [
        (("email", "webhook"), (), "no-consent"),
        (("email",), ("webhook",), "opted-out"),
        ((), ("email", "webhook"), "opted-out"),
    ],
)
async def test_when_no_channel_is_left_the_reason_says_who_closed_it(
    rig: Rig, refused_by_event: tuple[str, ...], opted_out: tuple[str, ...], reason: str
) -> None:
    await rig.book(**postponed())
    await says_no(rig, *refused_by_event)
    async with rig.engine.begin() as connection:  # the claim must find it itself
        row = sa.text("INSERT INTO suppressions VALUES ('c-1', :channel, 'operator', 'ann', :now)")
        for channel in opted_out:
            await connection.execute(row, {"channel": channel, "now": NOW})
    rig.clock.now = OVER

    await rig.worker().once()

    assert (rig.mail.ids, rig.hook.ids) == ([], [])
    assert await rig.row() == (Status.CANCELLED,)
    assert await rig.reason() == reason
