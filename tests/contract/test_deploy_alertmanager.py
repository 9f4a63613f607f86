"""The sample of who is told: Alertmanager accepts it, and each alert finds its way."""

import json
import re
from pathlib import Path

import pytest
import yaml

from generate.objectives import RUNBOOKS
from tests.contract.test_deploy_prometheus import NAMES
from tests.support.tools import ROOT, run_tool, system_tool

CONFIG = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
VOICE = ["alertname=DetractorSpike", "incident=a-1", "metric=nps", "survey=s", "region=EU"]


@pytest.mark.tools
def test_alertmanager_accepts_the_sample() -> None:
    run_tool(system_tool("amtool"), "check-config", str(CONFIG))


@pytest.mark.tools
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ([*VOICE, "severity=warning"], "voice"),
        ([*VOICE, "severity=info"], "voice"),
        ([*VOICE, "severity=critical"], "voice-now"),
        ([*VOICE, "severity=warning", "service=hotline"], "voice"),
        (["alertname=EarshotIngestFails", "severity=page", "window=1h"], "on-call"),
        (["alertname=EarshotConsumerStuck", "severity=page", "service=scoring"], "on-call"),
        (["alertname=EarshotDeadLetters", "severity=ticket"], "tickets"),
        (["alertname=Somebody", "severity=page"], "tickets"),
    ],
)
def test_an_alert_finds_its_way(labels: list[str], receiver: str) -> None:
    told = run_tool(
        system_tool("amtool"), "config", "routes", "test", f"--config.file={CONFIG}", *labels
    )

    assert told.split() == [receiver]


@pytest.mark.tools
def test_a_message_leads_to_the_page_of_the_rule(tmp_path: Path) -> None:
    alert = {
        "status": "firing",
        "labels": {"alertname": "EarshotDeadLetters", "service": "trigger"},
        "annotations": {
            "summary": "what",
            "description": "why",
            "runbook_url": f"{RUNBOOKS}/EarshotDeadLetters.md",
        },
    }
    spike = {
        "status": "firing",
        "labels": {"alertname": "DetractorSpike", "region": "EU"},
        "annotations": {"summary": "EU", "description": "rose", "link": "http://alerts/v1/a-1"},
    }
    data = {"status": "firing", "alerts": [alert, spike], "commonLabels": {"severity": "page"}}
    data["groupLabels"] = {"alertname": "EarshotDeadLetters"}
    (tmp_path / "data.json").write_text(json.dumps(data))

    def rendered(name: str) -> str:
        return run_tool(
            system_tool("amtool"), "template", "render",
            f"--template.glob={CONFIG.parent}/*.tmpl",
            f"--template.data={tmp_path}/data.json",
            f'--template.text={{{{ template "{name}" . }}}}',
        )  # fmt: skip

    assert rendered("earshot.subject").strip() == "[firing, page] EarshotDeadLetters"
    text = rendered("earshot.text")
    assert "https://git.example/earshot/blob/main/docs/runbooks/EarshotDeadLetters.md" in text
    assert "http://alerts/v1/a-1" in text
    assert "main/http" not in text


def test_what_inhibits_and_what_is_inhibited_are_rules() -> None:
    """A name that is misspelt would inhibit nothing, and nobody would notice."""
    patterns = [
        matcher.partition("=")[2].strip('~"')
        for rule in yaml.safe_load(CONFIG.read_text())["inhibit_rules"]
        for matcher in (*rule["source_matchers"], *rule["target_matchers"])
        if matcher.startswith("alertname")
    ]
    words = {word for one in patterns for word in re.findall(r"[A-Z][A-Za-z]+", one)} - {"Earshot"}

    assert len(patterns) > 4
    for pattern in patterns:
        assert any(re.fullmatch(pattern, name) for name in NAMES), pattern
    for word in words:
        assert any(word in name for name in NAMES), word
