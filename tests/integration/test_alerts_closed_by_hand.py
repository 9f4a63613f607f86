"""What a person closed rings no more by what came before that was said."""

import random
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.domain.alerts import Alert, Change, State
from services.alerts.store.alerts import write_by_hand
from shared.db import open_engine
from shared.events import ScoredResponse
from tests.support.alerts import START, AlertsRig, finish, judging, scored
from tests.support.alerts_history import BAD, PRODUCTS, REGIONS, SPIKE, SPIKE_ENDS, history


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(fresh_database_url, schema="alerts") as engine:
        yield engine


@pytest.fixture
def rig(engine: AsyncEngine) -> AlertsRig:
    return AlertsRig(engine)


async def close(rig: AlertsRig, alert: Alert, state: State) -> None:
    """As the API does: at the time of the line's newest answer."""
    at = max(answer.answered_at for partition in rig.topic for answer in partition)
    async with rig.engine.begin() as connection:
        await write_by_hand(connection, alert.end(state, at, rig.now), Change(state), {})


@pytest.mark.parametrize(
    "state", [State.RESOLVED, pytest.param(State.ACCEPTED, marks=pytest.mark.thorough)]
)
async def test_what_was_closed_while_the_judge_caught_up_stays_closed(
    rig: AlertsRig, state: State
) -> None:
    rig.put(history())
    await rig.count_all()
    async with judging(rig.judge()) as judge:
        while not (found := await rig.alerts()):
            assert await judge.turn()
        assert found[0].opened_at < SPIKE_ENDS - timedelta(hours=2)  # most of it is to come
        await close(rig, found[0], state)
        await finish(judge)

    assert [alert.state for alert in await rig.alerts()] == [state]


def rising(seed: int = 1) -> Iterator[ScoredResponse]:
    """An answer a minute; EU's shoes get worse at 36 h, for good, and worse again at 60 h."""
    draw = random.Random(seed)
    for number in range(72 * 60):
        where = {"region": draw.choice(REGIONS), "product": draw.choice(PRODUCTS)}
        worse = (number >= 36 * 60) + (number >= 60 * 60) if where == BAD else 0
        at = START + timedelta(minutes=number, seconds=draw.randrange(60))
        detractor = draw.random() < (0.12, 0.45, 0.9)[worse]
        yield scored(number, at, detractor=detractor, segments=where)


@pytest.mark.thorough
async def test_what_was_accepted_rings_in_no_wider_stream_and_a_further_rise_does(
    rig: AlertsRig,
) -> None:
    answers, came = list(rising()), 36 * 60
    rig.put(answers[:came])
    async with judging(rig.judge()) as judge:
        while not await rig.alerts():
            rig.put(answers[came : came + 60])
            came += 60
            await rig.count_all()
            await finish(judge)
        await close(rig, (await rig.alerts())[0], State.ACCEPTED)
        rig.put(answers[came:])
        await rig.count_all()
        await finish(judge)

    first, second = await rig.alerts()
    assert (first.state, first.also_raised) == (State.ACCEPTED, ())
    assert (second.segment, second.state) == (BAD, State.OPEN)
    assert second.opened_at > START + timedelta(hours=60)


@pytest.mark.thorough
async def test_what_goes_on_after_it_was_closed_is_told_anew(rig: AlertsRig) -> None:
    rig.put(history(until=SPIKE_ENDS))
    await rig.count_all()
    async with judging(rig.judge()) as judge:
        await finish(judge)
        (alert,) = await rig.alerts()
        await close(rig, alert, State.RESOLVED)
        rig.put(
            scored(500_000 + i, SPIKE_ENDS + timedelta(minutes=5 * i), detractor=i % 5 < 3,
                   segments=BAD)
            for i in range(1, 100)
        )  # fmt: skip
        await rig.count_all()
        await finish(judge)

    again = (await rig.alerts())[1:]
    assert again
    assert min(one.opened_at for one in again) > SPIKE_ENDS


@pytest.mark.thorough
@pytest.mark.parametrize("state", [State.RESOLVED, State.ACCEPTED])
async def test_what_was_closed_in_its_minute_does_not_ring_again_when_that_closes(
    rig: AlertsRig, state: State
) -> None:
    start = SPIKE + timedelta(minutes=30)
    rig.now = start + timedelta(minutes=1)
    rig.put(history(until=SPIKE, spike=False))
    await rig.count_all()
    async with judging(rig.judge()) as judge:
        await finish(judge)
        rig.put(
            scored(500_000 + i, start + timedelta(seconds=i / 2), detractor=i % 5 != 0,
                   segments=BAD)
            for i in range(60)
        )  # fmt: skip
        await rig.count_all()
        await finish(judge)
        (alert,) = await rig.alerts()
        await close(rig, alert, state)
        await finish(judge)
        later = start + timedelta(minutes=5)
        rig.put([scored(600_000, later, detractor=False, segments=BAD)])
        await rig.count_all()
        await finish(judge)

    assert [alert.state for alert in await rig.alerts()] == [state]
    settled = state is State.RESOLVED  # what was accepted is remembered for a while
    assert await rig.rows("SELECT settled, pending FROM alerts") == [(settled, [])]
