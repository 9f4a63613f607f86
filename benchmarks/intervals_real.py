"""How clustered real answers are: the intraclass correlation and the design effect of real sets."""

import csv
import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.intervals_clusters import Counts
from services.scoring.domain.clusters import cells_of, crowding, design_effect, intraclass
from shared.programme.metrics import Klass, Metric, find_metric
from shared.tally import Tallies


@dataclass(frozen=True)
class Look:
    """A set, its metric, what its answers cluster by (`day` or a column), segments by a column."""

    folder: str
    metric: Metric
    cluster: str
    by: str = ""
    sample: str = ""


FIVE: Final = find_metric("csat", (1, 5))
TEN: Final = find_metric("csat", (1, 10))
NPS: Final = find_metric("nps", (0, 10))
LOOKS: Final = (
    Look("olist", FIVE, "day", sample="random"),
    Look("olist", FIVE, "day", by="state", sample="random"),
    Look("airline_tweets", FIVE, "day"),
    Look("airline_tweets", FIVE, "day", by="airline"),
    Look("callcentre_rwfd", TEN, "day"),
    Look("callcentre_rwfd", TEN, "day", by="call_center"),
    Look("pwc_calls", FIVE, "agent"),
    Look("carpentries_nps", NPS, "day"),
    Look("carpentries_nps", NPS, "event"),
)


def real_rows(folder: Path) -> Iterator[Sequence[str]]:
    for look in LOOKS:
        segment, cluster, points = _read(folder, look)
        own = np.arange(segment.max() + 1).repeat(cluster.max() + 1)
        tallies = _tallies(look.metric, segment * (cluster.max() + 1) + cluster, points, len(own))
        whole = _tallies(look.metric, cluster, points, int(cluster.max()) + 1)
        rho = intraclass(cells_of(own, tallies, look.metric))
        groups = len(set(own.tolist()))
        of_whole = crowding(np.zeros_like(whole.n), whole.n, 1)
        of_each = design_effect([(crowding(own, tallies.n, groups), rho)], groups)
        yield (
            look.folder,
            look.metric.name,
            str(len(points)),
            f"{look.by} ({groups})" if look.by else "-",
            f"{look.cluster} ({len(whole.n)})",
            f"{rho:.4f}",
            f"{of_whole[0]:.1f}",
            f"{design_effect([(of_whole, rho)], 1)[0]:.2f}",
            f"{np.median(of_each):.2f}" if look.by else "-",
        )


def _read(folder: Path, look: Look) -> tuple[Counts, Counts, Counts]:
    """Segment and cluster of each answer as whole numbers, and its point."""
    segments: dict[str, int] = {}
    clusters: dict[str, int] = {}
    found = []
    with gzip.open(folder / look.folder / "responses.csv.gz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            told = (row["metric"], row["scale_max"]) == (
                look.metric.name,
                str(look.metric.scale[1]),
            )
            if not told or not row["occurred_at"] or look.sample not in row.get("sample", ""):
                continue
            place = row["occurred_at"][:10] if look.cluster == "day" else row[look.cluster]
            if not row["score"] or not place:
                continue
            segment = segments.setdefault(row[look.by] if look.by else "", len(segments))
            cluster = clusters.setdefault(place, len(clusters))
            found.append((segment, cluster, int(float(row["score"]))))
    columns = np.array(found).T
    return columns[0], columns[1], columns[2]


def _tallies(metric: Metric, cell: Counts, points: Counts, count: int) -> Tallies:
    classes = np.array([metric.class_of(point).value for point in points.tolist()])

    def of(kind: Klass) -> Counts:
        return np.bincount(cell[classes == kind.value], minlength=count)

    total, squares = np.bincount(cell, points, count), np.bincount(cell, points**2, count)
    return Tallies(
        of(Klass.PROMOTER),
        of(Klass.PASSIVE),
        of(Klass.DETRACTOR),
        total.astype(int),
        squares.astype(int),
    )
