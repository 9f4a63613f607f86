"""The boards are complete, ask for series that exist, and are found where Grafana looks."""

import json
import re
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from generate.boards import BOARDS, Board
from generate.boards.drawing import SOURCE
from generate.boards.panels import Kind
from tests.support.series import named, shown_series
from tests.support.tools import ROOT

GRAFANA = ROOT / "deploy" / "grafana"
OF_GRAFANA = {"__rate_interval", "__range", "datasource"}
SERVICES = {"ingest", "scoring", "trigger", "alerts"}


EACH = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)


def drawn(board: Board) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(board.write())["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def test_there_is_a_board_for_ops_for_the_voice_and_for_each_service() -> None:
    assert {board.name for board in BOARDS} == {"ops", "voice"} | SERVICES
    files = sorted(path.name for path in (GRAFANA / "dashboards").iterdir())
    assert files == sorted(f"{board.name}.json" for board in BOARDS)


@EACH
def test_a_panel_says_what_it_shows(board: Board) -> None:
    for panel in board.panels():
        assert len(panel.text) > 10, panel.title
        assert panel.text.endswith("."), panel.title
        assert panel.title.endswith("?") or "?" not in panel.title
        if panel.kind is not Kind.NUMBER or len(panel.queries) > 1:
            assert all(query.legend for query in panel.queries), panel.title
        assert [one.title for one in board.panels()].count(panel.title) == 1


@EACH
def test_a_query_names_series_and_variables_that_are_there(board: Board) -> None:
    variables = {variable.name for variable in board.variables} | OF_GRAFANA
    for query in (query for panel in board.panels() for query in panel.queries):
        expr = board.placed(query.expr)
        assert named(expr)
        assert named(expr) - shown_series() == set()
        assert set(re.findall(r"\$\{?(\w+)", expr)) <= variables
        assert "ALERTS" in expr or 'job=~"$job"' in expr or "or vector" in expr
        for label in re.findall(r"\{\{(\w+)\}\}", query.legend):
            assert re.search(rf"by \([^)]*\b{label}\b", expr) or label == "instance"


@EACH
def test_a_board_is_drawn_as_it_is_written(board: Board) -> None:
    shown, written = drawn(board), list(board.panels())

    assert [panel["title"] for panel in shown] == [panel.title for panel in written]
    for seen, panel in zip(shown, written, strict=True):
        assert seen["type"] == panel.kind
        assert seen["datasource"] == SOURCE.to_json()
        assert seen["description"] == panel.description
        assert seen["fieldConfig"]["defaults"]["unit"] == panel.unit
        assert seen["options"] is not None
        assert len(seen["targets"]) == len(panel.queries)
        limits = [step["value"] for step in seen["fieldConfig"]["defaults"]["thresholds"]["steps"]]
        expected = [one for one in (panel.least, panel.limit) if one is not None]
        assert limits == [None, *expected]
        assert [target["expr"] for target in seen["targets"]] == [
            board.placed(query.expr) for query in panel.queries
        ]


@EACH
def test_panels_fill_the_width_and_lie_beside_one_another(board: Board) -> None:
    taken: set[tuple[int, int]] = set()
    numbers = [panel["id"] for panel in json.loads(board.write())["panels"]]
    for panel in json.loads(board.write())["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
    assert len(set(numbers)) == len(numbers)


@EACH
def test_a_variable_is_listed_from_series_that_are_shown(board: Board) -> None:
    listed = json.loads(board.write())["templating"]["list"]

    assert [one["name"] for one in listed][:2] == ["datasource", "job"]
    for one in listed:
        assert one["type"] in {"datasource", "query", "textbox"}
        if one["type"] == "query":
            assert named(one["query"]) <= shown_series()
            assert one["datasource"] == SOURCE.to_json()


@EACH
def test_the_model_of_grafana_reads_what_is_written(board: Board) -> None:
    register_default_plugins()
    written = board.write()

    read = Dashboard.from_json(json.loads(written))

    assert json.loads(JSONEncoder().encode(read)) == json.loads(written)


def test_grafana_finds_the_boards_and_prometheus() -> None:
    provisioning = GRAFANA / "provisioning"
    (provider,) = yaml.safe_load((provisioning / "dashboards/earshot.yaml").read_text())[
        "providers"
    ]
    sources = yaml.safe_load((provisioning / "datasources/prometheus.yaml").read_text())
    (source,) = sources["datasources"]
    mounts = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]
    scraped = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["global"]

    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in mounts["volumes"]
    assert "./deploy/grafana/provisioning:/etc/grafana/provisioning:ro" in mounts["volumes"]
    assert source["type"] == "prometheus"
    assert source["jsonData"]["timeInterval"] == scraped["scrape_interval"]
