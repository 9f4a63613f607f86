"""Looking into open minutes: finer than a minute, and without a trace."""

import numpy as np

from services.alerts.domain.ahead import Ahead
from services.alerts.domain.columns import Floats
from services.alerts.domain.detector import Detector
from services.alerts.domain.state import FleetState
from services.alerts.domain.streams import Catalogue, LeafTick
from services.alerts.domain.terms import Policy
from shared.segments import Lattice

START_H = 490_000.0
MINUTE_H = 1 / 60
LEAF = "{}"


def calm_line() -> tuple[Detector, FleetState, Catalogue]:
    """Three days with twenty answers an hour, two of them detractors."""
    detector, fleet, catalogue = Detector(Policy()), FleetState.empty(), Catalogue(Lattice(()))
    rows = catalogue.rows_of(LEAF, fleet)
    counts: Floats = np.array([20.0])
    for hour in range(72):
        detector.step(fleet, rows, counts, counts / 10, START_H + hour, MINUTE_H)
    return detector, fleet, catalogue


def ahead_of(detector: Detector, fleet: FleetState) -> Ahead:
    return Ahead.of(detector, fleet, START_H + 72)


def fires(ahead: Ahead, catalogue: Catalogue, answers: int, detractors: int, second: int) -> bool:
    ticks = [LeafTick(LEAF, answers, detractors)]
    found = ahead.look(catalogue, ticks, START_H + 72 + second / 3600)
    return found is not None and bool(found[1].fired.any())


def test_a_fault_is_seen_in_the_minute_that_was_calm_before_it() -> None:
    detector, fleet, catalogue = calm_line()

    whole = ahead_of(detector, fleet)
    assert not fires(whole, catalogue, 440, 65, 59)
    parts = ahead_of(detector, fleet)
    assert not fires(parts, catalogue, 400, 40, 50)
    assert fires(parts, catalogue, 440, 65, 59)


def test_what_was_seen_is_not_judged_again() -> None:
    detector, fleet, catalogue = calm_line()
    ahead = ahead_of(detector, fleet)
    fires(ahead, catalogue, 20, 2, 1)

    assert ahead.look(catalogue, [LeafTick(LEAF, 20, 2)], START_H + 73) is None
    assert ahead.news([LeafTick(LEAF, 25, 4)]) == [LeafTick(LEAF, 5, 2)]


def test_an_amendment_that_takes_away_makes_it_begin_anew() -> None:
    detector, fleet, catalogue = calm_line()
    ahead = ahead_of(detector, fleet)
    fires(ahead, catalogue, 20, 2, 1)

    assert ahead.news([LeafTick(LEAF, 20, 3)]) is None
    assert ahead.news([LeafTick(LEAF, 19, 2)]) is None
    assert ahead.news([LeafTick(LEAF, 0, 0)]) is None
    assert ahead.news([]) == []


def test_the_fleet_and_its_detector_stay_as_they_were() -> None:
    detector, fleet, catalogue = calm_line()
    before, record = fleet.values.copy(), detector.to_record()

    fires(ahead_of(detector, fleet), catalogue, 500, 400, 30)

    np.testing.assert_array_equal(fleet.values, before)
    assert detector.to_record() == record


def test_a_stream_that_is_not_known_yet_cannot_alarm() -> None:
    detector, fleet, _ = calm_line()
    nobody = Catalogue(Lattice(()))

    assert ahead_of(detector, fleet).look(nobody, [LeafTick(LEAF, 9, 9)], START_H + 73) is None


def test_what_went_elsewhere_before_it_was_looked_at_is_no_news() -> None:
    detector, fleet, catalogue = calm_line()
    ahead = ahead_of(detector, fleet)
    gone = [LeafTick(LEAF, 0, 0, "agent-7"), LeafTick(LEAF, 0, 0)]
    assert ahead.news(gone) == []
    assert ahead.look(catalogue, gone, START_H + 72.01) is None
