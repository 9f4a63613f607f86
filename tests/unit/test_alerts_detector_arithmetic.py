"""The arithmetic, to the last digits, against numbers of an independent implementation."""

import math
from collections.abc import Iterator

import numpy as np
import pytest

from services.alerts.domain.detector import Detector
from services.alerts.domain.evidence import beta_binomial
from services.alerts.domain.state import FleetState
from services.alerts.domain.terms import FleetTerms, Policy

START_H = 480_000.0
RATES = (0.10, 0.30, 0.55)


def draws() -> Iterator[float]:
    """A generator of our own (Lehmer 1951), so that no library's version moves the numbers."""
    state = 20_260
    while True:
        state = state * 48_271 % 2_147_483_647
        yield state / 2_147_483_647


def minutes(count: int) -> Iterator[tuple[int, float, list[int], list[int]]]:
    """Give minute, hour of its end, answers and detractors of three streams.

    One answer at most while streams warm up; then a rise in the first two, which ends.
    """
    draw = draws()
    for minute in range(count):
        most = 1 if minute < 200 else 3
        answers = [int(next(draw) * (most + 1)) for _ in RATES]
        risen = 0.35 if 420 <= minute < 560 else 0.0
        rates = [RATES[0] + risen, RATES[1] + risen, RATES[2]]
        detractors = [
            sum(next(draw) < rate for _ in range(n)) for n, rate in zip(answers, rates, strict=True)
        ]
        yield minute, START_H + (minute + 1) * 0.3, answers, detractors


COLUMNS = (
    "baseline_detractors",
    "baseline_others",
    "quarantine_detractors",
    "quarantine_answers",
    "walk",
    "earlier_detractors",
    "earlier_answers",
    "today_detractors",
    "today_answers",
    "recovery",
    "frozen_rate",
    "alert_detractors",
    "alert_answers",
)


def play(count: int) -> tuple[FleetState, list[tuple[int, str, int]]]:
    detector = Detector(
        Policy(evidence_answers=0, evidence_detractors=0), FleetTerms(learning=False)
    )
    detector.budget.day = 10**9
    detector.budget.log_thresholds = np.log(np.full(3, 1000.0))
    fleet = FleetState.empty(len(RATES))
    events = []
    for minute, now_h, answers, detractors in minutes(count):
        index = np.flatnonzero(answers)
        if not len(index):
            continue
        counts = np.array([answers, detractors], float)[:, index]
        judgement = detector.step(fleet, index, counts[0], counts[1], now_h, 1 / 60)
        for row, fired, closed in zip(
            index.tolist(), judgement.fired, judgement.closed, strict=True
        ):
            if closed:
                events.append((minute, str(closed), row))
            if fired:
                events.append((minute, "opened", row))
                detector.open(fleet, row, now_h)
    return fleet, events


def test_alerts_open_and_close_at_the_same_minutes() -> None:
    _, events = play(900)
    assert events == [
        (441, "opened", 0),
        (441, "opened", 1),
        (587, "recovered", 1),
        (595, "recovered", 0),
    ]


@pytest.fixture(scope="module")
def fleet() -> FleetState:
    return play(500)[0]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("baseline_detractors", (31.8670584916, 77.431347117, 31.3044334283)),
        ("baseline_others", (256.616926519, 195.533686322, 32.4538697454)),
        ("quarantine_detractors", (47.3333333333, 68.0, 162.666666667)),
        ("quarantine_answers", (104.0, 97.3333333333, 284.666666667)),
        ("walk", (14.3951327981, 8.91683243322, 3.16088710291)),
        ("earlier_detractors", (30.1354994516, 42.9506223554, 128.033067075)),
        ("earlier_answers", (72.0059977961, 63.6010023863, 222.25534471)),
        ("today_detractors", (9.96216019111, 12.5743658054, 8.57986331304)),
        ("today_answers", (15.2754887971, 15.224885754, 17.1641253748)),
        ("hour_detractors", (1.33333333333, 2.66666666667, 3.33333333333)),
        ("hour_answers", (2.66666666667, 4.0, 5.33333333333)),
        ("frozen_rate", (0.110463873724, 0.283667641022, 0.0)),
        ("alert_detractors", (44.6666666667, 68.0, 0.0)),
        ("alert_answers", (90.6666666667, 97.3333333333, 0.0)),
    ],
)
def test_counts_of_a_stream(fleet: FleetState, column: str, expected: tuple[float, ...]) -> None:
    assert getattr(fleet, column) == pytest.approx(expected, rel=1e-10)


def test_evidence_of_each_alternative(fleet: FleetState) -> None:
    expected = [
        [6.5592262599, 5.10288084546, 5.0997997403],
        [10.5099792109, 6.91931201935, 5.41755553558],
        [17.4916464564, 11.4341768649, 4.71163626981],
        [24.5860103031, 17.5975954651, 2.79827896861],
    ]
    assert np.log(fleet.evidence) == pytest.approx(np.array(expected), rel=1e-9)


def test_walk_and_onset_of_each_alternative(fleet: FleetState) -> None:
    walks = [
        [14.3951327981, 8.91683243322, 3.16088710291],
        [21.8273260233, 13.7013460103, 3.69386495778],
        [30.8447911725, 20.0343633537, 3.18838726345],
        [39.7138338927, 28.2351527808, 0.785230290466],
    ]
    onsets = [
        [122.683333, 122.983333, 59.983333],
        [122.683333, 122.983333, 59.983333],
        [122.683333, 122.983333, 98.383333],
        [126.283333, 122.983333, 98.383333],
    ]
    assert fleet.rise_walk == pytest.approx(np.array(walks), rel=1e-10)
    assert fleet.rise_since - START_H == pytest.approx(np.array(onsets), abs=1e-5)


def test_beta_binomial_is_a_distribution_over_orders() -> None:
    answers = 7
    total = sum(
        math.comb(answers, k)
        * math.exp(beta_binomial(*(np.array([float(x)]) for x in (k, answers, 0.3, 4.0)))[0])
        for k in range(answers + 1)
    )
    assert total == pytest.approx(1.0)
