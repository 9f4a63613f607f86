"""Looking again at alerts that grew: beside judging, one a transaction, none forgotten."""

from datetime import timedelta

import pytest

from services.alerts.domain.answers import begin_of
from services.alerts.metrics import REGISTRY
from services.alerts.worker import courtroom
from services.alerts.worker import judge as judging_turns
from shared.db import open_engine
from tests.support.alerts import AlertsRig, finish, judging
from tests.support.alerts_history import SPIKE_ENDS, history, play

OVERDUE = "SELECT looked_n * 5 < (body->>'n')::int * 4 FROM alerts"


def due() -> float | None:
    return REGISTRY.get_sample_value("earshot_alerts_looks_due")


async def test_a_judge_that_never_gets_to_it_is_not_late_and_the_next_one_does(
    fresh_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = history(until=SPIKE_ENDS)
    async with open_engine(fresh_database_url, schema="alerts") as engine:
        rig = AlertsRig(engine)
        with monkeypatch.context() as busy:
            busy.setattr(judging_turns, "_LOOK_S", -1.0)
            rig.put(answers)
            await rig.count_all()
            async with judging(rig.judge()) as first:
                await finish(first)
                assert due() == 1
            assert due() == 0  # another one judges
            assert await rig.judged_to() == answers[-1].answered_at
            assert {change for (change,) in await rig.rows("SELECT change FROM changes")} == {
                "opened"
            }
            assert await rig.rows(OVERDUE) == [(True,)]

        await play(rig, [])
        assert await rig.rows(OVERDUE) == [(False,)]

    assert due() == 0


async def test_each_look_is_a_transaction_of_its_own_and_a_fault_in_one_costs_no_minute(
    fresh_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = history(until=SPIKE_ENDS)
    async with open_engine(fresh_database_url, schema="alerts") as engine:
        rig = AlertsRig(engine)
        rig.put(answers)
        await rig.count_all()

        async def fail(*_: object) -> None:
            raise ConnectionError("gone while an alert was looked at")

        async with judging(rig.judge()) as first:
            with monkeypatch.context() as broken:
                broken.setattr(courtroom, "look_again", fail)
                with pytest.raises(ConnectionError):
                    await finish(first)
        (judged,) = await rig.rows("SELECT judged_to FROM lines")
        (alert,) = await rig.alerts()
        await play(rig, [])

        assert begin_of(judged[0]) >= alert.opened_at - timedelta(minutes=1)
        assert await rig.rows(OVERDUE) == [(False,)]
