"""The scan names the slices that are behind a rise, and nothing where nothing rose."""

from itertools import product
from typing import NamedTuple

import numpy as np
import pytest
from scipy.special import expit, logit

from services.alerts.domain.leaves import Leaves
from services.alerts.domain.scan import scan

SIZES = {"channel": 4, "lifecycle": 3, "product": 8, "region": 6}
CODES = np.array(list(product(*map(range, SIZES.values()))))
SEGMENTS = [{n: f"{n}-{v}" for n, v in zip(SIZES, row, strict=True)} for row in CODES.tolist()]
SHIFT = np.log(2.43)  # .15 becomes .30


class Fault(NamedTuple):
    segment: dict[str, str]
    inside: np.ndarray


def draw_faults(rng: np.random.Generator, volumes: np.ndarray, number: int) -> list[Fault]:
    """Disjoint slices of one to three dimensions that hold .2 % to 60 % of the answers."""
    faults: list[Fault] = []
    while len(faults) < number:
        names = sorted(rng.choice(list(SIZES), int(rng.integers(1, 4)), replace=False))
        segment = {name: f"{name}-{rng.integers(SIZES[name])}" for name in names}
        inside = np.array([segment.items() <= leaf.items() for leaf in SEGMENTS])
        apart = not any((inside & other.inside).any() for other in faults)
        if apart and 0.002 <= volumes[inside].sum() <= 0.6:
            faults.append(Fault(segment, inside))
    return faults


def simulate(
    rng: np.random.Generator, nats: float, number: int, uneven: float = 0.0
) -> tuple[Leaves, list[dict[str, str]]]:
    """Zipf volumes, rates that differ, a history of twenty windows; each fault holds the nats."""
    volumes = np.ones(len(SEGMENTS))
    for j, many in enumerate(SIZES.values()):
        share = rng.permutation(1 / np.arange(1, many + 1))
        volumes *= (share / share.sum())[CODES[:, j]]
    rates = expit(logit(np.clip(rng.beta(3, 12), 0.03, 0.6)) + rng.normal(0, 0.2, len(SEGMENTS)))
    faults = draw_faults(rng, volumes, number)
    odds = logit(rates) + rng.normal(0, uneven / 3, len(rates))
    answers = 2_000.0
    for fault in faults:
        volume = volumes[fault.inside].sum()
        p = float(volumes[fault.inside] @ rates[fault.inside]) / volume
        q = expit(logit(p) + SHIFT)
        per_answer = q * np.log(q / p) + (1 - q) * np.log((1 - q) / (1 - p))
        needed = nats / per_answer / volume
        answers = needed if fault is faults[0] else max(answers, needed)
        odds[fault.inside] += SHIFT + rng.normal(0, uneven, fault.inside.sum())
    now = rng.poisson(answers * volumes)
    before = rng.poisson(20 * answers * volumes)
    hurt = rng.binomial(before, rates)
    shrunk = (hurt + 20 * hurt.sum() / before.sum()) / (before + 20)
    leaves = Leaves.of(SEGMENTS, now, rng.binomial(now, expit(odds)), shrunk)
    return leaves, [fault.segment for fault in faults]


@pytest.mark.parametrize(
    ("nats", "causes", "uneven", "bar"),
    [
        (20, 1, 0.0, 0.93),
        (80, 1, 0.0, 0.99),
        (80, 2, 0.0, 0.99),
        (500, 1, 0.3, 0.93),
    ],
)
def test_the_scan_names_exactly_the_slices_at_fault(
    nats: float, causes: int, uneven: float, bar: float
) -> None:
    rng = np.random.default_rng(4_711)
    right = named = wanted = 0
    for _ in range(120):
        leaves, faults = simulate(rng, nats, causes, uneven)
        found = [slice_.segment for slice_ in scan(leaves).slices]
        right += sum(segment in faults for segment in found)
        named, wanted = named + len(found), wanted + len(faults)

    assert 2 * right / (named + wanted) >= bar


def test_chance_is_not_explained() -> None:
    rng = np.random.default_rng(4_712)

    named = [bool(scan(simulate(rng, 0, 0)[0]).slices) for _ in range(150)]

    assert sum(named) <= 3


def leaves_of(**hurt: int) -> Leaves:
    """A hundred answers in each leaf of two dimensions; a tenth is normal."""
    segments = [{"region": r, "product": p} for r in ("EU", "US") for p in ("hats", "shoes")]
    counts = [hurt.get(f"{s['region']}_{s['product']}", 10) for s in segments]
    hundred = np.full(4, 100.0)
    return Leaves.of(segments, hundred, np.array(counts, float), np.full(4, 0.1))


def test_a_fault_of_everybody_is_a_fault_of_the_whole() -> None:
    everybody = leaves_of(EU_hats=30, EU_shoes=31, US_hats=29, US_shoes=30)

    (named,) = scan(everybody).slices

    assert (named.segment, named.share) == ({}, 1.0)


def test_shares_say_how_much_of_all_excess_a_slice_holds() -> None:
    found = scan(leaves_of(EU_shoes=60, US_hats=45, US_shoes=12))

    assert [(one.segment, round(one.share, 2)) for one in found.slices] == [
        ({"region": "EU", "product": "shoes"}, 0.57),
        ({"region": "US", "product": "hats"}, 0.4),
    ]
    assert found.explains == pytest.approx(85 / 87)


def test_two_causes_side_by_side_are_not_named_by_what_they_are_parts_of() -> None:
    segments = [{"region": r, "product": str(p)} for r in ("EU", "US", "APAC") for p in range(8)]
    answers = np.repeat([600.0, 300.0, 200.0], 8)
    detractors = answers * np.repeat([0.2, 0.2, 0.1], 8)

    found = scan(Leaves.of(segments, answers, detractors, np.full(24, 0.1)))

    assert {one.segment.get("region") for one in found.slices} == {"EU", "US"}
    assert all(set(one.segment) == {"region"} for one in found.slices)


def test_what_is_explained_is_searched_no_more() -> None:
    leaves = leaves_of(EU_hats=40, EU_shoes=40, US_hats=45)

    cause = {"region": "US", "product": "hats"}

    left = scan(leaves.explained_by([{"region": "EU"}]))

    assert [one.segment for one in left.slices] == [cause]
    assert not scan(leaves.explained_by([{"region": "EU"}, cause])).slices


def test_a_leaf_without_a_value_is_in_no_slice_of_that_dimension() -> None:
    segments = [{"region": "EU"}, {"region": "EU", "queue": "a"}, {"queue": "a"}, {}]
    hundred = np.full(4, 100.0)
    leaves = Leaves.of(segments, hundred, np.array([60.0, 10, 10, 10]), np.full(4, 0.1))

    assert leaves.within({"region": "EU"}).tolist() == [True, True, False, False]
    assert leaves.within({"queue": "a"}).tolist() == [False, True, True, False]
    assert [one.segment for one in scan(leaves).slices] == [{"region": "EU"}]


def test_many_leaves_of_many_values_name_the_same_cause() -> None:
    rng = np.random.default_rng(4_713)
    many = 40_000
    codes = np.stack([np.minimum(rng.pareto(1, many) * 40, 1_999) for _ in range(6)], 1).astype(int)
    answers = rng.poisson(4, many) + 1
    rates = np.full(many, 0.15)
    at_fault = (codes[:, 2] == 1) & (codes[:, 4] == 2)
    hurt = rng.binomial(answers, np.where(at_fault, 0.6, rates))
    names = [f"d{j}" for j in range(6)]
    segments = [dict(zip(names, map(str, row), strict=True)) for row in codes.tolist()]

    found = scan(Leaves.of(segments, answers, hurt, rates)).slices

    assert [one.segment for one in found] == [{"d2": "1", "d4": "2"}]


def test_nothing_comes_of_nothing() -> None:
    empty = np.empty(0)

    assert scan(Leaves.of([], empty, empty, empty)).slices == ()
    assert scan(Leaves.of([{}], np.ones(1), np.ones(1), np.full(1, 0.1))).slices == ()
