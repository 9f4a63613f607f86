"""The alert names the slice at fault though no stream watches it, and counts what is in it."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.domain.answers import Line, minute_of
from services.alerts.store.past import SqlPast
from shared.db import open_engine
from shared.segments import Lattice, segment_key
from tests.support.alerts import START, AlertsRig, finish, judging
from tests.support.alerts_history import BAD, SPIKE, SPIKE_ENDS, history

SINGLE = Lattice(("region", "product"))


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(fresh_database_url, schema="alerts") as engine:
        yield engine


@pytest.mark.thorough
async def test_a_slice_that_no_stream_watches_is_named_and_counted(engine: AsyncEngine) -> None:
    rig = AlertsRig(engine)
    rig.put(history())
    await rig.count_all()
    async with judging(rig.judge(SINGLE)) as judge:
        await finish(judge)

    (alert,) = await rig.alerts()

    assert alert.segment == BAD
    assert [one.segment for one in alert.slices] == [BAD]
    assert alert.explains > 0.6
    assert alert.raised_segment in ({"region": "EU"}, {"product": "shoes"}, {})
    assert alert.raised_segment in alert.also_raised
    assert alert.began_between is not None
    assert alert.began_between[0] <= SPIKE <= alert.began_between[1]
    assert alert.resolved_at is not None
    assert alert.detractor_rate.baseline == pytest.approx(0.1, abs=0.04)
    ((opened,),) = await rig.rows(
        "SELECT CAST(record AS jsonb) -> 'rise' -> 'interval' FROM changes WHERE change = 'opened'"
    )
    assert opened[0] <= 50 <= opened[1]
    assert [one.reason for one in alert.top_reasons] == ["delivery-late"]
    assert alert.sample_comments == ("It came far too late.",)
    last = minute_of(alert.resolved_at) - 1
    async with engine.connect() as connection:
        bins = await SqlPast(connection, Line("nps", "post-delivery")).series(
            segment_key(BAD), minute_of(alert.began_at), last, 60
        )
    assert alert.n == sum(one.answers for one in bins)
    assert alert.detractors == sum(one.detractors for one in bins)
    assert alert.revision <= 8


async def test_a_series_has_the_answers_of_a_segment_in_bins(engine: AsyncEngine) -> None:
    rig = AlertsRig(engine)
    answers = history(until=SPIKE_ENDS)
    rig.put(answers)
    await rig.count_all()
    first, last = minute_of(START), minute_of(answers[-1].answered_at)

    async with engine.connect() as connection:
        past = SqlPast(connection, Line("nps", "post-delivery"))
        bins = await past.series(segment_key(BAD), first, last, 90)
        leaves = await past.leaves(first, last)

    mine = [answer for answer in answers if answer.segments == BAD]
    assert sum(one.answers for one in bins) == len(mine)
    assert sum(one.detractors for one in bins) == sum(a.klass == "detractor" for a in mine)
    assert all((one.minute - first) % 90 == 0 for one in bins)
    assert [one.minute for one in bins] == sorted({one.minute for one in bins})
    assert sum(leaf.answers for leaf in leaves) == len(answers)
