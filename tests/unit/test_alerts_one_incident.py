"""One fault is one incident, and its cause is named: the whole judge over random faults."""

import numpy as np
import pytest

from services.alerts.domain.alerts import Change
from services.alerts.domain.answers import begin_of
from tests.support.alerts_faults import HOUR, SIZES, START, Fault, Run, run_faults

SINCE_H = 72
HOURS = 120


def draw_segment(rng: np.random.Generator, dimensions: int) -> dict[str, str]:
    names = sorted(rng.choice(list(SIZES), dimensions, replace=False))
    return {str(name): f"{name}-{rng.integers(2)}" for name in names}


def draw_faults(kind: str, rng: np.random.Generator) -> list[Fault]:
    depths = {"everybody": 0, "value": 1, "pair": 2, "triple": 3}
    if kind in depths:
        return [Fault(draw_segment(rng, depths[kind]), SINCE_H)]
    later = SINCE_H + (18 if kind == "two, one later" else 0)
    places = [{"region": f"region-{i}", "product": f"product-{rng.integers(3)}"} for i in (0, 1)]
    return [Fault(places[0], SINCE_H), Fault(places[1], later)]


def check(run: Run, faults: list[Fault]) -> None:
    """At most an incident a fault, each fault named, all numbers about the segment named."""
    since = begin_of(START + SINCE_H * HOUR)
    alerts = [alert for alert in run.alerts.values() if alert.opened_at >= since]
    named = [one.segment for alert in alerts for one in alert.slices]

    assert 1 <= len(alerts) <= len(faults)
    assert all(fault.segment in named for fault in faults)
    assert not [alert for alert in run.opened if alert.n < 20 or alert.detractors < 8]
    for alert in alerts:
        assert alert.segment == alert.slices[0].segment
        assert alert.detractor_rate.current == pytest.approx(alert.detractors / alert.n, abs=0.001)
        assert 0 < alert.explains <= 1
        assert alert.explains == pytest.approx(sum(s.share for s in alert.slices), abs=0.01)
        assert alert.began_between is not None
        assert alert.began_between[0] <= alert.began_at <= alert.began_between[1]
        assert len([1 for told, _ in run.told if told.id == alert.id]) <= 12


@pytest.mark.parametrize("kind", ["everybody", "pair", "two, one later"])
async def test_one_fault_is_one_incident(kind: str) -> None:
    faults = draw_faults(kind, np.random.default_rng(17))

    run = await run_faults(17, faults, hours=HOURS)

    check(run, faults)
    assert run.told[0][1] is Change.OPENED


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(100, 108))
@pytest.mark.parametrize(
    "kind", ["everybody", "value", "pair", "triple", "two at once", "two, one later"]
)
async def test_one_fault_is_one_incident_whatever_it_is(kind: str, seed: int) -> None:
    faults = draw_faults(kind, np.random.default_rng(seed))

    check(await run_faults(seed, faults, hours=HOURS, an_hour=1_000), faults)
