"""Maintenance windows: what comes in them is no evidence."""

import random
from datetime import timedelta

import pytest

from services.alerts.domain.silences import Matcher, Silence
from services.alerts.store.silences import put_silence
from shared.db import open_engine
from shared.events import ScoredResponse
from tests.support.alerts import START, AlertsRig, finish, judging, scored
from tests.support.alerts_history import SPIKE, SPIKE_ENDS, history
from tests.support.alerts_silences import HOUR


async def test_answers_of_a_maintenance_window_raise_nothing_however_late_they_come(
    fresh_database_url: str,
) -> None:
    async with open_engine(fresh_database_url, schema="alerts") as engine:
        rig = AlertsRig(engine)
        window = Silence(
            id="s-1", matchers=Matcher(segment={"region": "EU", "product": "shoes"}),
            begins_at=SPIKE, ends_at=SPIKE_ENDS, maintenance=True,
            by="anne", note=None, created_at=START,
        )  # fmt: skip
        async with engine.begin() as connection:
            await put_silence(connection, window)
        answers = history(until=SPIKE_ENDS)
        rig.put(answers)
        await rig.count_all()
        async with judging(rig.judge()) as judge:
            await finish(judge)
            late = SPIKE + HOUR
            rig.put([scored(90_000 + i, late, detractor=True) for i in range(200)])
            rig.put([scored(99_000, SPIKE_ENDS + HOUR, detractor=False)])
            await rig.count_all()
            await finish(judge)

        assert await rig.alerts() == []
        assert await rig.judged_to() is not None
        (left,) = await rig.rows("SELECT count(*) FROM counted")
        inside = [
            a for a in answers
            if window.holds(a.answered_at) and a.segments == window.matchers.segment
        ]  # fmt: skip
        assert left[0] == len(answers) - len(inside) + 1


@pytest.mark.thorough
@pytest.mark.parametrize("maintained", [True, False])
async def test_the_rest_of_a_mix_is_no_rise(fresh_database_url: str, *, maintained: bool) -> None:
    """For twelve hours the contented half says nothing: by maintenance, or for no known reason."""
    draw, ends = random.Random(5), SPIKE + 12 * HOUR
    answers: list[ScoredResponse] = []
    at = START
    while at < ends:
        at += timedelta(minutes=2)
        region = draw.choice(("EU", "US"))
        if at < SPIKE or region == "US":
            detractor = draw.random() < (0.02 if region == "EU" else 0.60)
            where = {"region": region, "product": "shoes"}
            answers.append(scored(len(answers), at, detractor=detractor, segments=where))
    async with open_engine(fresh_database_url, schema="alerts") as engine:
        rig = AlertsRig(engine)
        if maintained:
            window = Silence(
                id="s-1", matchers=Matcher(segment={"region": "EU"}), begins_at=SPIKE, ends_at=ends,
                maintenance=True, by="anne", note=None, created_at=START,
            )  # fmt: skip
            async with engine.begin() as connection:
                await put_silence(connection, window)
        rig.put(answers)
        await rig.count_all()
        async with judging(rig.judge()) as judge:
            await finish(judge)

        assert bool(await rig.alerts()) is not maintained
