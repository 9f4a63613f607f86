"""What a test prints: figures beside their bars, and how sure each verdict is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from scipy.special import bdtr, bdtrc, gammainc, ndtr

SURE = 0.01  # a bar is missed when a detector that holds it does so badly this rarely


class Verdict(StrEnum):
    """`NOISE`: the figure is beyond its bar, by less than chance explains."""

    MET = "met"
    PARTLY = "met; true rises ring too"
    NOISE = "beyond, within noise"
    MISSED = "**missed**"


@dataclass(frozen=True)
class Row:
    """One line of a test's table; rivals by name, measured in the same run."""

    what: str
    ours: str
    bar: str = ""
    verdict: Verdict | None = None
    rivals: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """How much to run; None: each test's own seeds."""

    full: bool = False
    seeds: tuple[int, ...] = ()


Part: TypeAlias = Callable[[], Any]


@dataclass(frozen=True)
class Trial:
    """A test is cut into parts, which run beside each other, and put together again.

    `rows` gets what the parts returned, in their order.
    """

    title: str
    parts: Callable[[Plan], Sequence[Part]]
    rows: Callable[[Plan, Sequence[Any]], Sequence[Row]]


def judge_count(count: int, allowed: float) -> Verdict:
    """Alarms seen against those promised: a Poisson test."""
    if count <= allowed:
        return Verdict.MET
    return Verdict.MISSED if gammainc(count, allowed) < SURE else Verdict.NOISE


def judge_few(count: int, of: int, bar: float) -> Verdict:
    """A share that should be at most the bar: a binomial test."""
    if count <= bar * of:
        return Verdict.MET
    return Verdict.MISSED if bdtrc(count - 1, of, bar) < SURE else Verdict.NOISE


def judge_many(count: int, of: int, bar: float) -> Verdict:
    """A share that should be at least the bar; a bar of 1 stands for .99, as it was rounded."""
    bar = min(bar, 0.99)
    if count >= bar * of:
        return Verdict.MET
    return Verdict.MISSED if bdtr(count, of, bar) < SURE else Verdict.NOISE


def judge_mean(mean: float, error: float, bar: float) -> Verdict:
    """A mean that should be at most the bar, with its standard error."""
    if mean <= bar:
        return Verdict.MET
    return Verdict.MISSED if ndtr((bar - mean) / max(error, 1e-12)) < SURE else Verdict.NOISE


def to_table(rows: Sequence[Row]) -> str:
    """Markdown; a rival's column stands where any row has it."""
    names = list(dict.fromkeys(name for row in rows for name in row.rivals))
    head = ["", "Earshot", "bar", "verdict", *names]
    lines = [head, ["---"] * len(head)]
    lines += [
        [r.what, r.ours, r.bar, r.verdict or "", *(r.rivals.get(name, "") for name in names)]
        for r in rows
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
