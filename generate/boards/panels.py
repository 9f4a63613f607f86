"""What a panel shows, and as what: lines over time, one number, or a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial


class Kind(StrEnum):
    """How a panel shows its queries."""

    LINES = "timeseries"
    NUMBER = "stat"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Query:
    """PromQL; `$here` stands for the matchers that the series of the board share.

    In a table, `legend` is the title of the column.
    """

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    `limit`: from here on it is red; `least`: below it. `quiet`: why it may be empty, where that is
    good news; a panel without it that shows nothing is broken. `repeat`: the variable of whose
    values each has a panel of its own. `band`: legends of the lower and the upper bound, filled
    between. `labels`: of a table, the labels that are columns, with their titles.
    """

    kind: Kind
    title: str
    text: str
    queries: Sequence[Query]
    unit: str = "short"
    width: int = 8
    limit: float | None = None
    least: float | None = None
    decimals: int | None = None
    quiet: str = ""
    repeat: str = ""
    band: tuple[str, str] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def description(self) -> str:
        """What the reader of the board is told, by the pointer on the corner."""
        return f"{self.text} Empty: {self.quiet}" if self.quiet else self.text


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True)
class Variable:
    """What the reader may narrow a board to: a label's values in some series; all, if `many`.

    Without series it is a text that is typed.
    """

    name: str
    text: str
    series: str = ""
    many: bool = True

    @property
    def query(self) -> str:
        """What lists the values."""
        return f"label_values({self.series}, {self.name})"


lines = partial(Panel, Kind.LINES)
number = partial(Panel, Kind.NUMBER, width=4)
table = partial(Panel, Kind.TABLE, width=24)
