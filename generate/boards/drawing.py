"""Panels as Grafana draws them: one way for each kind, on every board."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.models.common import (
    BigValueGraphMode,
    GraphTresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from generate.boards.panels import Kind, Panel, Query

SOURCE: Final = DataSourceRef("prometheus", "${datasource}")
_LETTERS: Final = "ABCDEFGH"
_Drawn: TypeAlias = timeseries.Panel | stat.Panel | table.Panel


def draw(panel: Panel, number: int, placed: Callable[[str], str]) -> _Drawn:
    """The panel, its expressions put through `placed`."""
    drawn = _DRAWN[panel.kind](panel)
    drawn = (
        drawn.id(number)
        .title(panel.title)
        .description(panel.description)
        .datasource(SOURCE)
        .span(panel.width)
        .unit(panel.unit)
        .no_value("none" if panel.quiet else "no data")
        .thresholds(_thresholds(panel))
    )
    for letter, query in zip(_LETTERS, panel.queries, strict=False):
        drawn = drawn.with_target(_target(panel, letter, query, placed))
    if panel.decimals is not None:
        drawn = drawn.decimals(panel.decimals)
    if panel.repeat:
        drawn = drawn.repeat(panel.repeat).repeat_direction("h")
    return drawn


def _target(
    panel: Panel, letter: str, query: Query, placed: Callable[[str], str]
) -> prometheus.Dataquery:
    target = prometheus.Dataquery().ref_id(letter).expr(placed(query.expr)).datasource(SOURCE)
    target = target.legend_format(query.legend or "__auto")
    if panel.kind is Kind.LINES:
        return target.range()
    form = PromQueryFormat.TABLE if panel.kind is Kind.TABLE else PromQueryFormat.TIME_SERIES
    return target.instant().format(form)


def _lines(panel: Panel) -> timeseries.Panel:
    style = GraphTresholdsStyleMode.OFF if panel.limit is panel.least is None else _DASHED
    drawn = (
        timeseries.Panel()
        .height(8)
        .fill_opacity(0 if panel.band else 8)
        .show_points(VisibilityMode.AUTO)
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .thresholds_style(common.GraphThresholdsStyleConfig().mode(style))
        .tooltip(
            common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
        )
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs(["lastNotNull"])
        )
    )
    if panel.band is not None:
        lower, upper = panel.band
        drawn = drawn.override_by_name(lower, _edge()).override_by_name(upper, _edge(lower))
    return drawn if panel.unit == "none" else drawn.axis_soft_min(0)


def _number(_panel: Panel) -> stat.Panel:
    return (
        stat.Panel()
        .height(4)
        .graph_mode(BigValueGraphMode.NONE)
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    )


def _table(panel: Panel) -> table.Panel:
    titles = {
        f"Value #{letter}": query.legend
        for letter, query in zip(_LETTERS, panel.queries, strict=False)
    }
    titles = {"Value": panel.queries[0].legend, **titles, **panel.labels}
    order = {name: place for place, name in enumerate((*panel.labels, *titles))}
    return (
        table.Panel()
        .height(9)
        .show_header(True)
        .with_transformation(DataTransformerConfig("merge", options={}))
        .with_transformation(
            DataTransformerConfig(
                "organize",
                options={
                    "excludeByName": {"Time": True},
                    "indexByName": order,
                    "renameByName": titles,
                },
            )
        )
    )


def _edge(below: str = "") -> list[DynamicConfigValue]:
    """A bound is a thin line; the upper one fills down to the lower."""
    said: dict[str, object] = {"custom.lineWidth": 0, "custom.hideFrom": _NOT_IN_LEGEND}
    if below:
        said |= {"custom.fillBelowTo": below, "custom.fillOpacity": 20}
    return [DynamicConfigValue(name, value) for name, value in said.items()]


def _thresholds(panel: Panel) -> dashboard.ThresholdsConfig:
    steps = [Threshold(None, "green")]
    if panel.least is not None:
        steps = [Threshold(None, "red"), Threshold(panel.least, "green")]
    if panel.limit is not None:
        steps.append(Threshold(panel.limit, "red"))
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


_DASHED: Final = GraphTresholdsStyleMode.DASHED
_NOT_IN_LEGEND: Final[Mapping[str, bool]] = {"legend": True, "tooltip": False, "viz": False}
_DRAWN: Final[Mapping[Kind, Callable[[Panel], _Drawn]]] = {
    Kind.LINES: _lines,
    Kind.NUMBER: _number,
    Kind.TABLE: _table,
}
