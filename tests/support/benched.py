"""What the smallest run of a benchmark has to tell, beside that it ends."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from benchmarks.queries.asking import SHAPES

_PATHS: Final = [
    "event -> mail",
    "record -> mail",
    "answer -> score",
    "fault -> alert, at once",
    "fault -> alert, one by one",
]
Told = Mapping[str, Any]


def _latency(told: Told) -> None:
    """Every path comes out at its end, and nothing is lost on its way."""
    tables = {one["name"]: one["rows"] for one in told["tables"]}
    assert [row[0] for row in tables["latency"]] == _PATHS
    assert all(row[4] > 0 for row in tables["latency"])
    assert {"answer_hops", "event_hops", "alert_hops"} < tables.keys()
    assert told["notes"] == []


def _queries(told: Told) -> None:
    """Every question is asked in every way; a quantile of too few is not told."""
    asked, start = told["tables"]
    assert [row[0] for row in asked["rows"]] == list(SHAPES)
    figures = [figure for row in asked["rows"] for figure in row[1:]]
    assert all(figure > 0 for figure in figures if figure is not None)
    assert start["rows"][0][1] > 2_000


CHECKS: Final[Mapping[str, Callable[[Told], None]]] = {"latency": _latency, "queries": _queries}
