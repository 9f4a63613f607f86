"""The rules name series that exist, have a page each, and fire when they should and only then."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from generate.objectives import RUNBOOKS
from tests.support.series import named, shown_series
from tests.support.tools import ROOT, run_tool, system_tool

PROMETHEUS = ROOT / "deploy" / "prometheus"
PAGES = ROOT / RUNBOOKS
SECTIONS = ["What customers feel", "How to look", "What to do", "When to ignore it"]


def rules() -> Iterator[dict[str, Any]]:
    for path in sorted(PROMETHEUS.glob("rules/*.yaml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


def cases() -> Iterator[dict[str, Any]]:
    for path in sorted(PROMETHEUS.glob("tests/*.yaml")):
        for case in yaml.safe_load(path.read_text())["tests"]:
            yield from case["alert_rule_test"]


RULES = list(rules())
ALERTS = [rule for rule in RULES if "alert" in rule]
NAMES = sorted({rule["alert"] for rule in ALERTS})


@pytest.mark.tools
def test_prometheus_accepts_its_configuration() -> None:
    run_tool(system_tool("promtool"), "check", "config", "deploy/prometheus/prometheus.yml")


@pytest.mark.tools
@pytest.mark.parametrize("file", sorted(path.name for path in PROMETHEUS.glob("tests/*.yaml")))
def test_the_rules_fire_when_they_should(file: str) -> None:
    run_tool(system_tool("promtool"), "test", "rules", str(PROMETHEUS / "tests" / file))


def test_each_rule_is_seen_to_fire_and_to_be_quiet() -> None:
    checked = [(case["alertname"], bool(case["exp_alerts"])) for case in cases()]

    assert {name for name, fires in checked if fires} == set(NAMES)
    assert {name for name, fires in checked if not fires} == set(NAMES)


def test_a_rule_says_who_is_woken_what_it_is_and_where_to_read_on() -> None:
    for rule in ALERTS:
        page = f"{RUNBOOKS}/{rule['alert']}.md"
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
        assert all(rule["annotations"].values())
        assert rule["annotations"]["runbook_url"] == page
        assert (ROOT / page).is_file()


def test_rules_name_series_that_are_shown() -> None:
    for rule in RULES:
        assert named(rule["expr"]), rule
        assert named(rule["expr"]) - shown_series() == set(), rule


def test_every_page_belongs_to_a_rule_and_is_listed() -> None:
    listed = re.findall(r"\]\((\w+)\.md\)", (PAGES / "README.md").read_text())

    assert sorted(listed) == NAMES
    assert sorted(page.stem for page in PAGES.glob("*.md")) == sorted([*NAMES, "README"])


@pytest.mark.parametrize("alert", NAMES)
def test_a_page_says_what_whoever_is_woken_needs(alert: str) -> None:
    text = (PAGES / f"{alert}.md").read_text()
    links = re.findall(r"\]\(([^)#]+)\)", text)

    assert text.startswith(f"# {alert}\n\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert "```" in text
    assert named(text) - shown_series() == set()
    assert [link for link in links if not (PAGES / link).exists()] == []
