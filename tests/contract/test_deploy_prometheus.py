"""The rules name series that exist, and fire when they should."""

import re

import pytest
import yaml
from prometheus_client import CollectorRegistry

from services.alerts.metrics import REGISTRY as ALERTS
from services.trigger.metrics import REGISTRY as TRIGGER
from shared.stream.metrics import StreamMetrics
from tests.support.tools import ROOT, run_tool, system_tool

PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = [
    rule
    for path in sorted(PROMETHEUS.glob("rules/*.yaml"))
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
]
CASES = [
    checked["alertname"]
    for path in sorted(PROMETHEUS.glob("tests/*.yaml"))
    for case in yaml.safe_load(path.read_text())["tests"]
    for checked in case["alert_rule_test"]
    if checked["exp_alerts"]
]


@pytest.mark.tools
def test_prometheus_accepts_its_configuration() -> None:
    run_tool(system_tool("promtool"), "check", "config", "deploy/prometheus/prometheus.yml")


@pytest.mark.tools
def test_the_rules_fire_when_they_should() -> None:
    cases = sorted(str(path) for path in PROMETHEUS.glob("tests/*.yaml"))

    run_tool(system_tool("promtool"), "test", "rules", *cases)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_is_seen_to_fire(rule: dict[str, str]) -> None:
    assert rule["alert"] in CASES


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_names_series_that_are_shown(rule: dict[str, str]) -> None:
    registry = CollectorRegistry()
    StreamMetrics(registry)
    shown = {
        family.name + ("_total" if family.type == "counter" else "")
        for each in (registry, TRIGGER, ALERTS)
        for family in each.collect()
    }

    assert set(re.findall(r"earshot_\w+", rule["expr"])) <= shown
