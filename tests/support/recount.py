"""An independent recount of a CSV of answers: no code of the project, plain sums."""

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

DETRACTOR_UP_TO = {("nps", 10): 6, ("csat", 5): 2, ("csat", 10): 4, ("ces", 7): 3}
PROMOTER_FROM = {("nps", 10): 9, ("csat", 5): 4, ("csat", 10): 9, ("ces", 7): 5}

Counts = tuple[int, int, int]  # promoters, passives, detractors


def clean(value: str) -> str:
    return " ".join(value.split())[:100].rstrip()


def rows(path: Path) -> list[dict[str, str]]:
    """The countable rows; the last of a repeated id is the one with the greatest time."""
    latest: dict[str, dict[str, str]] = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["occurred_at"] and row["score"]:
                known = latest.get(row["response_id"])
                if known is None or known["occurred_at"] <= row["occurred_at"]:
                    latest[row["response_id"]] = row
    return list(latest.values())


def recount(
    counted: Iterable[dict[str, str]], metric: str, by: Sequence[str]
) -> dict[tuple[str, ...], Counts]:
    totals: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in counted:
        if row["metric"] != metric:
            continue
        values = tuple(clean(row[name]) for name in by)
        if not all(values):
            continue
        scale = (metric, int(float(row["scale_max"])))
        score = int(float(row["score"]))
        place = 2 if score <= DETRACTOR_UP_TO[scale] else 0 if score >= PROMOTER_FROM[scale] else 1
        totals[values][place] += 1
    return {values: (n[0], n[1], n[2]) for values, n in totals.items()}
