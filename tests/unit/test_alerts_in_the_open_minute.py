"""What an open minute raises, what a person closes, and how an alert ends without answers."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from services.alerts.domain.alerts import State
from services.alerts.domain.answers import begin_of, minute_of
from services.alerts.domain.cases import Case
from services.alerts.domain.streams import LeafTick
from services.alerts.handlers.judging import judge_minute, settle_by_hand
from services.alerts.handlers.raising import raise_all
from tests.support.alerts import an_alert
from tests.support.alerts_bench import (
    EU_SHOES,
    MINUTE,
    NOW,
    US_HATS,
    build_bench,
    fire,
)


async def test_an_open_minute_leaves_the_fleet_as_it_was() -> None:
    bench = build_bench(EU_SHOES)

    await raise_all(bench, fire(bench, EU_SHOES, "{}", provisional=True))

    (case,) = bench.docket.cases.values()
    assert set(case.pending) == set(case.holds)
    assert np.isnan(bench.fleet.opened_at).all()


async def test_a_pending_stream_is_held_once_its_minute_was_judged() -> None:
    bench = build_bench(EU_SHOES)
    await raise_all(bench, fire(bench, EU_SHOES, provisional=True))

    await judge_minute(bench, MINUTE, [LeafTick(EU_SHOES, 5, 4)])

    (case,) = bench.docket.cases.values()
    assert case.pending == ()
    assert not np.isnan(bench.fleet.opened_at[case.holds[0]])


@pytest.mark.parametrize("pending", [True, False])
async def test_what_a_person_closed_the_fleet_lets_go(pending: bool) -> None:
    bench = build_bench(EU_SHOES)
    await raise_all(bench, fire(bench, EU_SHOES, "{}", provisional=pending))
    (case,) = bench.docket.cases.values()
    over = replace(case, alert=case.alert.end(State.RESOLVED, NOW, NOW))
    bench.docket.cases.clear()
    bench.docket.ended_by_hand[over.alert.id] = over

    assert over.alert.resolved_at is not None
    said = minute_of(over.alert.resolved_at)

    settle_by_hand(bench, said - 1)
    assert bench.docket.ended_by_hand  # what came before that was said is not all judged yet
    settle_by_hand(bench, said)

    assert np.isnan(bench.fleet.opened_at).all()
    assert [c.alert.state for c in bench.docket.written()] == [State.RESOLVED]


async def test_an_alert_whose_stream_falls_silent_is_accepted_in_the_end() -> None:
    bench = build_bench()
    row = bench.catalogue.row(US_HATS)
    assert row is not None
    alert = an_alert(opened_at=NOW - timedelta(days=14))
    bench.docket.cases[alert.id] = Case(alert, (row,), 1, alert.n, alert.severity)
    bench.open(row, 1.0)

    await judge_minute(bench, MINUTE, [LeafTick(EU_SHOES, 5, 0)])
    assert not bench.docket.over
    await judge_minute(bench, MINUTE + 2 * 24 * 60, [LeafTick(EU_SHOES, 5, 0)])

    assert [case.alert.state for case in bench.docket.over.values()] == [State.ACCEPTED]
    assert np.isnan(bench.fleet.opened_at[row])


def test_an_excursion_of_the_open_minute_began_in_it_never_after_it() -> None:
    bench = build_bench(EU_SHOES)
    finding = fire(bench, EU_SHOES)
    late = replace(
        finding.judgement, onset_h=np.array([(MINUTE + 0.75) / 60]), answers=np.array([40.0])
    )

    crossing = replace(finding, judgement=late, at=begin_of(MINUTE) + timedelta(seconds=58))
    whole = replace(finding, judgement=replace(late, onset_h=np.array([MINUTE / 60])))

    assert crossing.began_at(0) == begin_of(MINUTE)
    assert crossing.crossing(0, {}).opened_at == begin_of(MINUTE) + timedelta(seconds=58)
    assert whole.began_at(0) == begin_of(MINUTE)
