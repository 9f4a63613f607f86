"""Tables of the page on intervals: coverage by method, at the edges, and false alarms."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from benchmarks.intervals_coverage import (
    ENDS,
    RARE,
    SMALL,
    STEPS,
    Case,
    Coverage,
    ces_cases,
    csat_case,
    listed_shapes,
    measure,
    nps_case,
    nps_grid,
    simplex_shapes,
)
from benchmarks.intervals_methods import CES, CES_METHODS, CSAT, CSAT_METHODS, NPS, Floats
from benchmarks.intervals_nps import NPS_METHODS
from shared.intervals import METHODS as OURS
from shared.intervals import Estimate, p_value
from shared.programme.metrics import Metric

LARGE: Final = {
    "nps": (*range(20, 41), 50, 75, 100, 200),
    "csat": (*range(20, 101), 200),
    "ces": (20, 25, 30, 40, 50, 100),
}
SLOW: Final = 40  # the posterior by quadrature goes no further
METHODS: Final = {"nps": NPS_METHODS, "csat": CSAT_METHODS, "ces": CES_METHODS}
TRUTH: Final = {"nps": "promoters {:g}, detractors {:g}", "csat": "{:g}"}
HEAD: Final = (
    "method | n 5-19: mean | its range by n | worst | where | under 90 % |"
    " n ≥ 20: mean | its range by n | worst | where | under 92 % | width, n = 10 | n = 30"
)


def cases_of(metric: str, n: int) -> tuple[Sequence[str], Iterable[Case]]:
    """The names of the truths, and the cases that hold them, in the same order."""
    if metric == "nps":
        grid = nps_grid()
        return [TRUTH[metric].format(*pair) for pair in grid], [nps_case(n, grid)]
    if metric == "csat":
        return [TRUTH[metric].format(share) for share in STEPS[1:-1]], [csat_case(n, STEPS[1:-1])]
    shapes = listed_shapes() if n > 50 else listed_shapes() | simplex_shapes()
    return list(shapes), ces_cases(n, shapes.values())


def coverages(metric: str) -> Mapping[str, Coverage]:
    """Of each method, over all n; each case is worked out once for all methods."""
    found = {name: Coverage([]) for name in METHODS[metric]}
    for n in (*SMALL, *LARGE[metric]):
        names, cases = cases_of(metric, n)
        parts = [_parts(metric, case) for case in cases]
        for name, into in found.items():
            if "to 40" in name and n > SLOW:
                continue
            into.names = names if len(names) > len(into.names) else into.names
            into.found[n] = np.concatenate([part[name].found[n] for part in parts])
            into.width[n] = float(np.mean([part[name].width[n] for part in parts]))
    return found


def _parts(metric: str, case: Case) -> Mapping[str, Coverage]:
    found = {}
    for name, method in METHODS[metric].items():
        if "to 40" in name and case.n > SLOW:
            continue
        found[name] = Coverage([])
        measure(method, case, ENDS[metric], found[name])
    return found


def share(value: float) -> str:
    return f"{100 * value:.1f} %"


def row_of(name: str, coverage: Coverage, metric: str) -> Sequence[str]:
    cells = [name]
    for ns, bar in ((SMALL, 0.90), (LARGE[metric], 0.92)):
        part = coverage.over(ns)
        value, n, where = part.worst
        means = part.means
        cells += [share(float(np.mean(means))), f"{share(min(means))}-{share(max(means))}"]
        cells += [share(value), f"n {n}; {where}", str(part.under(bar))]
    return [*cells, *(f"{coverage.width[n]:.{2 if metric == 'ces' else 1}f}" for n in (10, 30))]


def table(head: str, rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {head} |", "|" + "---|" * (head.count("|") + 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def finer() -> str:
    """NPS in steps of 0.025 and of 0.01 near the edges, for the chosen method."""
    near = (*RARE, *(round(1 - share, 2) for share in RARE))
    grid = nps_grid(sorted({step / 40 for step in range(41)} | set(near)))
    coverage = Coverage([TRUTH["nps"].format(*pair) for pair in grid])
    for n in (*SMALL, 20, 25, 30, 40, 50, 75):
        measure(next(iter(NPS_METHODS.values())), nps_case(n, grid), ENDS["nps"], coverage)
    rows = [
        (label, str(len(grid)), share(part.worst[0]), f"n {part.worst[1]}; {part.worst[2]}")
        for label, part in (
            ("n 5-19", coverage.over(SMALL)),
            ("n ≥ 20 (20, 25, 30, 40, 50, 75)", coverage.over(range(20, 76))),
        )
    ]
    return table("n | truths | worst | where", rows)


def rare() -> str:
    """CSAT where the share is small; by symmetry the same where it is near 1."""
    rows = []
    for name, method in CSAT_METHODS.items():
        cells = [name]
        for ns in (SMALL, range(20, 101)):
            coverage = Coverage([f"{value:g}" for value in RARE])
            for n in ns:
                measure(method, csat_case(n, RARE), ENDS["csat"], coverage)
            columns = np.stack(list(coverage.found.values()))
            cells += [f"{share(column.mean())}, {share(column.min())}" for column in columns.T]
        rows.append(cells)
    labels = [f"{value:g}, {ns}" for ns in ("n 5-19", "n 20-100") for value in RARE]
    return table("mean, worst | " + " | ".join(labels), rows)


def false_alarms() -> str:
    """How often two groups with the same truth are told apart at 5 %, every pair of outcomes."""
    rows = []
    for n in (5, 8, 12, 20):
        cells = [str(n)]
        for metric, cases in (
            (NPS, [nps_case(n, nps_grid(STEPS[::2]))]),
            (CSAT, [csat_case(n, STEPS[1:-1])]),
            (CES, ces_cases(n, list(listed_shapes().values())[::3] if n <= 12 else [])),
        ):
            sizes = np.concatenate([_alarms(metric, case) for case in cases] or [np.array([])])
            cells += [share(sizes.mean()), share(sizes.max())] if len(sizes) else ["-", "-"]
        rows.append(cells)
    heads = " | ".join(f"{name}: mean | worst" for name in ("NPS", "CSAT", "CES"))
    return table(f"n of each | {heads}", rows)


def _alarms(metric: Metric, case: Case) -> Floats:
    one = OURS[metric.interval](case.tallies, metric, 0.5)
    left = Estimate(one.centre[:, None], one.variance[:, None], one.n[:, None])
    told = (p_value(left, one) < 0.05).astype(float)
    found: Floats = np.einsum("ij,jk,ik->i", case.weights, told, case.weights, optimize=True)
    return found
