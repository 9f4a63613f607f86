"""Over-dispersion, learned from the answers."""

import numpy as np
import pytest

from services.alerts.domain.columns import Floats
from services.alerts.domain.detector import Detector
from services.alerts.domain.state import FleetState
from services.alerts.domain.terms import FleetTerms, Policy

START_H = 480_000.0
STREAMS = 20


def learn(draw: np.random.Generator, *, cluster: int, terms: FleetTerms | None = None) -> Detector:
    """Feed forty days at 30 %, `cluster` answers in a row alike."""
    detector, fleet = Detector(Policy(), terms), FleetState.empty(STREAMS)
    everybody = np.arange(STREAMS)
    last: Floats = np.zeros(STREAMS)
    for i in range(40 * 24):
        if i % cluster == 0:
            last = (draw.random(STREAMS) < 0.3).astype(float)
        now_h = START_H + i + 1
        detector.step(fleet, everybody, np.ones(STREAMS), last, now_h, 1 / 60)
    return detector


@pytest.mark.parametrize(
    ("cluster", "expected"),
    [
        pytest.param(1, 1.0, marks=pytest.mark.thorough),
        pytest.param(2, 2.0, marks=pytest.mark.thorough),
        (4, 4.0),
    ],
)
def test_answers_alike_in_clusters_are_worth_fewer(cluster: int, expected: float) -> None:
    detector = learn(np.random.default_rng(7), cluster=cluster)
    assert detector.dispersion.fleet == pytest.approx(expected, rel=0.15)


@pytest.mark.thorough
def test_without_learning_the_given_dispersion_stands() -> None:
    terms = FleetTerms(dispersion=1.2, learning=False)
    detector = learn(np.random.default_rng(7), cluster=4, terms=terms)
    assert detector.dispersion.fleet == 1.2


def test_streams_without_any_detractor_teach_nothing() -> None:
    detector, fleet = Detector(Policy()), FleetState.empty(1)
    for day in range(90):
        now_h = START_H + 24 * day
        judgement = detector.step(
            fleet, np.array([0]), np.array([9.0]), np.array([0.0]), now_h, 1 / 60
        )
        assert judgement.dispersion == pytest.approx(1.5)


def test_a_burst_in_one_minute_is_one_event() -> None:
    detector, fleet = Detector(Policy()), FleetState.empty(1)
    for day in range(50):
        hurt = np.array([400.0 * (day % 2)])
        now_h = START_H + 24 * day
        detector.step(fleet, np.array([0]), np.array([500.0]), hurt, now_h, 1 / 60)
    assert fleet.pairs.tolist() == [0.0]
