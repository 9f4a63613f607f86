"""A board, and what Grafana is given of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from generate.boards.drawing import SOURCE, draw
from generate.boards.panels import Panel, Row, Variable

_TAG: Final = "earshot"
_JOB: Final = Variable("job", "The jobs that Earshot is scraped as.", "earshot_build_info")
_ALL: Final = VariableOption(True, "All", "$__all")


@dataclass(frozen=True, slots=True)
class Board:
    """A board by its name, which is its file's and, after `earshot-`, its address's.

    `here`: the matchers that its series share; each board may be narrowed to some jobs. `span`: the
    time that it shows at first.
    """

    name: str
    title: str
    text: str
    rows: Sequence[Row]
    here: str = ""
    narrowed_by: Sequence[Variable] = ()
    span: str = "now-6h"

    @property
    def variables(self) -> Sequence[Variable]:
        """All that the reader may narrow it by."""
        return (_JOB, *self.narrowed_by)

    def panels(self) -> Iterator[Panel]:
        """All panels, as they are seen."""
        for row in self.rows:
            yield from row.panels

    def placed(self, expr: str) -> str:
        """The expression as Grafana has it, with its variables."""
        return expr.replace("$here", ", ".join(filter(None, ('job=~"$job"', self.here))))

    def write(self) -> str:
        """The JSON; the same for the same board."""
        encoder = JSONEncoder(sort_keys=True, indent=1, ensure_ascii=False)
        return encoder.encode(self._build()) + "\n"

    def _build(self) -> Any:
        board = (
            dashboard.Dashboard(self.title)
            .uid(f"earshot-{self.name}")
            .description(self.text)
            .tags([_TAG])
            .readonly()
            .time(self.span, "now")
            .refresh("30s")
            .tooltip(DashboardCursorSync.CROSSHAIR)
            .link(
                dashboard.DashboardLink("Earshot")
                .type(DashboardLinkType.DASHBOARDS)
                .tags([_TAG])
                .as_dropdown(True)
                .keep_time(True)
                .include_vars(False)
            )
            .with_variable(
                dashboard.DatasourceVariable("datasource").label("source").type("prometheus")
            )
        )
        for variable in self.variables:
            board = board.with_variable(self._choice(variable))
        number = 0
        for row in self.rows:
            number += 1
            board = board.with_row(dashboard.Row(row.title).id(number))
            for panel in row.panels:
                number += 1
                board = board.with_panel(draw(panel, number, self.placed))
        return board.build()

    @staticmethod
    def _choice(variable: Variable) -> dashboard.QueryVariable | dashboard.TextBoxVariable:
        if not variable.series:
            return dashboard.TextBoxVariable(variable.name).description(variable.text)
        choice = (
            dashboard.QueryVariable(variable.name)
            .description(variable.text)
            .query(variable.query)
            .datasource(SOURCE)
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(VariableSort.ALPHABETICAL_ASC)
        )
        if variable.many:
            choice = choice.multi(True).include_all(True).all_value(".*").current(_ALL)
        return choice
