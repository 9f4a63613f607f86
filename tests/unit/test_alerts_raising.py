"""One fault, one alert: who raises and who joins."""

import numpy as np
import pytest

from services.alerts.domain.alerts import Change
from services.alerts.domain.streams import LeafTick
from services.alerts.handlers.judging import judge_minute
from services.alerts.handlers.raising import raise_all
from shared.segments import read_segment_key
from tests.support.alerts_bench import (
    EU_SHOES,
    LEAVES,
    MINUTE,
    US_HATS,
    FakePast,
    build_bench,
    fire,
    raised,
)


async def test_the_stream_furthest_above_its_threshold_raises_and_its_kin_joins() -> None:
    bench = build_bench(EU_SHOES)

    await raise_all(bench, fire(bench, EU_SHOES, '{"region":"EU"}', "{}"))

    assert raised(bench) == [({"product": "shoes", "region": "EU"}, [{"region": "EU"}, {}])]
    (case,) = bench.docket.cases.values()
    assert [crossing.segment for crossing in case.alert.crossings] == [
        {"product": "shoes", "region": "EU"}, {"region": "EU"}, {},
    ]  # fmt: skip
    assert bench.docket.changes == [(case.alert, Change.OPENED)]  # told with what joined it
    assert (~np.isnan(bench.fleet.opened_at)).sum() == 3


async def test_two_faults_are_two_alerts() -> None:
    bench = build_bench(EU_SHOES, US_HATS)

    await raise_all(bench, fire(bench, EU_SHOES, US_HATS, '{"region":"US"}'))

    assert raised(bench) == [
        ({"product": "shoes", "region": "EU"}, []),
        ({"product": "hats", "region": "US"}, [{"region": "US"}]),
    ]
    assert [case.alert.explains for case in bench.docket.cases.values()] == [
        pytest.approx(0.51, abs=0.1),
        pytest.approx(0.51, abs=0.1),
    ]


async def test_what_lies_inside_an_alert_joins_it_without_a_look_at_the_past() -> None:
    bench = build_bench(*LEAVES)
    await raise_all(bench, fire(bench, "{}"))
    assert isinstance(bench.past, FakePast)
    assert bench.past.asked == 1

    await raise_all(bench, fire(bench, *LEAVES))

    assert [segment for segment, _ in raised(bench)] == [{}]
    assert bench.past.asked == 1  # however many joined


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [(20.0, []), (90.0, [({"product": "hats", "region": "US"}, [{}])])],
)
async def test_what_overlaps_an_alert_is_muted_unless_the_rest_fires_by_itself(
    evidence: float, expected: list[object]
) -> None:
    bench = build_bench(eu_shoes=40, us_hats=80)
    await raise_all(bench, fire(bench, EU_SHOES))

    await raise_all(bench, fire(bench, "{}", evidence_of=evidence))

    assert raised(bench) == [({"product": "shoes", "region": "EU"}, []), *expected]
    row = bench.catalogue.row("{}")
    assert row is not None
    assert (row in bench.docket.held_rows()) is bool(expected)  # what waits is looked at again


async def test_a_stream_that_no_slice_stands_behind_is_named_itself() -> None:
    bench = build_bench()

    await raise_all(bench, fire(bench, EU_SHOES))

    (case,) = bench.docket.cases.values()
    assert case.alert.segment == {"product": "shoes", "region": "EU"}
    assert (case.alert.n, case.alert.detractors) == (100, 60)


async def test_all_numbers_are_about_the_segment_named() -> None:
    bench = build_bench(EU_SHOES)

    await raise_all(bench, fire(bench, '{"region":"EU"}'))

    (case,) = bench.docket.cases.values()
    alert = case.alert
    assert (alert.segment, alert.n, alert.detractors) == (read_segment_key(EU_SHOES), 100, 60)
    assert alert.detractor_rate.baseline == pytest.approx(0.1, abs=0.01)
    assert alert.detractor_rate.current == 0.6
    assert 40 < alert.rise.points < 50  # shrunk
    assert alert.hurt_per_hour == pytest.approx(50, abs=1.5)
    assert alert.also_raised == ({"region": "EU"},)

    await judge_minute(bench, MINUTE + 1, [LeafTick(EU_SHOES, 3, 2), LeafTick(US_HATS, 9, 9)])

    (case,) = bench.docket.cases.values()
    assert (case.alert.n, case.alert.detractors, case.alert.revision) == (103, 62, 1)


async def test_a_stream_that_joins_later_is_no_news() -> None:
    bench = build_bench(EU_SHOES)
    await raise_all(bench, fire(bench, EU_SHOES))

    await raise_all(bench, fire(bench, EU_SHOES, '{"product":"shoes"}'))

    (case,) = bench.docket.cases.values()
    assert (case.alert.revision, case.alert.also_raised) == (1, ({"product": "shoes"},))
    assert [change for _, change in bench.docket.changes] == [Change.OPENED]
