"""Answers of one cluster tell less than as many that came alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.alerts.domain.ahead import Ahead
from services.alerts.domain.answers import DAY
from services.alerts.domain.clusters import Clusters, worth
from services.alerts.domain.detector import Detector
from services.alerts.domain.mixes import NO_ROWS, minute_within
from services.alerts.domain.state import FleetState
from services.alerts.domain.streams import Catalogue, LeafTick
from services.alerts.domain.terms import Policy
from shared.segments import Lattice

MINUTE = 20_000 * DAY
LEAF = '{"region":"EU"}'


def told(ticks: list[LeafTick]) -> float:
    return sum(tick.answers * tick.weight for tick in ticks)


def test_a_cluster_of_eleven_tells_what_five_and_a_half_would() -> None:
    (tick,) = Clusters().weigh(MINUTE, [LeafTick(LEAF, 11, 4, "LH400")])
    assert tick.answers * tick.weight == pytest.approx(11 / (1 + 10 * 0.1))
    assert (tick.answers, tick.detractors) == (11, 4)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=8))
@settings(max_examples=40)
def test_how_a_day_is_cut_into_minutes_does_not_matter(parts: list[int]) -> None:
    clusters = Clusters()
    total = sum(
        told(list(clusters.weigh(MINUTE + i, [LeafTick(LEAF, n, 0, "LH400")])))
        for i, n in enumerate(parts)
    )
    assert total == pytest.approx(worth(sum(parts)))


def test_a_new_day_counts_anew() -> None:
    clusters = Clusters()
    clusters.weigh(MINUTE, [LeafTick(LEAF, 50, 0, "LH400")])
    (tick,) = clusters.weigh(MINUTE + DAY, [LeafTick(LEAF, 1, 0, "LH400")])
    assert tick.weight == 1.0


def test_what_is_in_no_cluster_weighs_itself() -> None:
    clusters = Clusters()
    alone, one = clusters.weigh(MINUTE, [LeafTick(LEAF, 40, 9), LeafTick(LEAF, 40, 9, "LH400")])
    assert alone.weight == 1.0
    assert one.weight < 0.3


def test_a_day_of_any_number_of_clusters_takes_as_much_as_the_first_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.alerts.domain.clusters.NAMED", 10)
    clusters = Clusters()
    for i in range(300):  # each twice, so that none is one that could be forgotten
        clusters.weigh(MINUTE + i, [LeafTick(LEAF, 2, 0, f"c-{i}")])

    assert len(clusters.counts) == 10
    assert clusters.shared is not None
    assert clusters.shared.sum() == 2 * 290

    (late,) = clusters.weigh(MINUTE + 300, [LeafTick(LEAF, 5, 0, "c-299")])
    (early,) = clusters.weigh(MINUTE + 300, [LeafTick(LEAF, 5, 0, "c-3")])
    own = (worth(7) - worth(2)) / 5
    assert [late.weight, early.weight] == pytest.approx([own, own])
    assert clusters.copy().shared is not clusters.shared


def test_those_that_share_a_counter_weigh_less_never_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.alerts.domain.clusters.NAMED", 0)
    monkeypatch.setattr("services.alerts.domain.clusters.SHARED", 1)
    clusters = Clusters()
    clusters.weigh(MINUTE, [LeafTick(LEAF, 9, 0, "LH400")])
    (tick,) = clusters.weigh(MINUTE, [LeafTick(LEAF, 1, 0, "LH401")])
    assert tick.weight == pytest.approx(worth(10) - worth(9))


def alarm_after(cluster: str) -> int | None:
    """Feed 20 days at 20 %, then a bad flight: 40 detractors out of 60 in an hour."""
    catalogue = Catalogue(Lattice(("region",)))
    fleet, detector = FleetState.empty(), Detector(Policy())
    draw = np.random.default_rng(3)

    def judge(minute: int, tick: LeafTick) -> bool:
        weighed = detector.clusters.weigh(minute, [tick])
        ends = (minute + 1) / 60, 1 / 60
        index, counts = minute_within(
            weighed, lambda leaf: catalogue.rows_of(leaf, fleet), NO_ROWS, ends
        )
        return bool(detector.judge(fleet, index, counts).fired.any())

    for hour in range(20 * 24):
        judge(MINUTE + hour * 60, LeafTick(LEAF, 6, int(draw.binomial(6, 0.2))))
    for i in range(20):
        if judge(MINUTE + 20 * DAY + i, LeafTick(LEAF, 3, 2, cluster)):
            return 3 * (i + 1)
    return None


@pytest.mark.thorough
def test_one_bad_flight_is_no_alarm() -> None:
    assert alarm_after("") is not None
    assert alarm_after("LH400") is None


def test_an_open_minute_weighs_clusters_too() -> None:
    catalogue = Catalogue(Lattice(("region",)))
    fleet, detector = FleetState.empty(), Detector(Policy())
    rows = catalogue.rows_of(LEAF, fleet)
    detector.step(fleet, rows, np.full(len(rows), 9.0), np.zeros(len(rows)), MINUTE / 60, 1 / 60)
    ahead = Ahead.of(detector, fleet, MINUTE / 60)
    ahead.look(catalogue, [LeafTick(LEAF, 11, 4, "LH400")], MINUTE / 60 + 0.01)
    assert ahead.fleet.clock_answers[rows] == pytest.approx(11 / 2)
    assert detector.clusters.counts == {}
