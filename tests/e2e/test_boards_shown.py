"""Every query of every board and rule on a real Prometheus that scraped the running system."""

import json
import os
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import yaml

from generate.boards import BOARDS, Board
from generate.boards.panels import Panel, Variable
from generate.objectives import OBJECTIVES
from services.commands.made_up import Company
from tests.support.prometheus import DEPLOYED, RUNBOOKS, Prometheus, Sample, open_prometheus
from tests.support.system import open_system
from tests.support.voices import CALLS, asked, history, live

pytestmark = [pytest.mark.tools, pytest.mark.system, pytest.mark.timeout(400)]

# what names one of these may show nothing: series that begin when something goes wrong, or is named
QUIET: Mapping[str, str] = {
    "ALERTS": "no rule fires",
    'code=~"5..': "no request fails",
    'outcome="failed"': "Kafka takes every record",
    'outcome="dead-letter"': "no record is poison",
    'outcome="later"': "mail goes into a folder, which is there",
    "earshot_consumer_gap_records_total": "no offset is skipped",
    "earshot_consumer_rewound_partitions_total": "no topic is made anew",
    "earshot_consumer_topic_paused": "no topic is paused",
    "earshot_trigger_worker_failures_total": "no worker fails",
    'reason="rule-error"': "every rule can be read",
    "earshot_scoring_values_as_other_total": "no dimension is full",
    "earshot_api_key_": "without a file of keys none is asked for",
    "offset 12h": "the process has not run for 12 hours",
    "absent(": "every service is there",
}


class Values(dict[str, str]):
    """What stands for each variable of a board."""

    def put_into(self, text: str) -> str:
        text = text.replace("$__rate_interval", "2m").replace("$__range", "2m")
        for name, value in self.items():
            text = text.replace(f"${{{name}:regex}}", value).replace(f"${name}", value)
        assert "$" not in text.replace("$$", ""), text
        return text


@pytest.fixture
async def prometheus(tmp_path: Path) -> AsyncIterator[Prometheus]:
    company = Company(7)
    async with open_system(tmp_path / "var") as system:
        await system.start(within_s=90)
        await history(system, company)
        # an audit is made soon after a start
        assert system.terminate() == 0
        await system.start(within_s=90)
        async with open_prometheus(tmp_path / "prometheus", system.urls) as prometheus:
            # a counter grows between two scrapes, and one that is labelled begins with the first
            for already in (0, CALLS):
                await prometheus.scraped(2)
                await asked(system, already)
            await live(system, company, prometheus)
            yield prometheus


async def chosen(board: Board, prometheus: Prometheus) -> Values:
    """A value for each variable, as Grafana would find and write it: all, where many."""
    values = Values(job=".*")
    for variable in board.variables[1:]:
        values[variable.name] = await _value(variable, values, prometheus)
    return values


async def _value(variable: Variable, values: Values, prometheus: Prometheus) -> str:
    if not variable.series:
        return ""
    found = await prometheus.values(values.put_into(variable.series), variable.name)
    assert found, variable.query
    if variable.name == "metric":
        assert "nps" in found
        return "nps"
    return (
        f"({'|'.join(map(re.escape, found))})"
        if variable.name == "segment"
        else ".*"
        if variable.many
        else found[0]
    )


def may_be_empty(expr: str) -> bool:
    return any(part in expr for part in QUIET)


def selectors(expr: str) -> Iterator[str]:
    """The series that an expression names, with their matchers."""
    for found in re.finditer(r"\b(?:earshot_|earshot:|process_|up\b)[\w:]*(?:\{[^}]*\})?", expr):
        yield found[0]


async def shown(
    panel: Panel, board: Board, values: Values, prometheus: Prometheus
) -> tuple[list[str], list[str]]:
    """What the panel shows, and what it should show and does not."""
    said, missing = [], []
    for query in panel.queries:
        expr = values.put_into(board.placed(query.expr))
        samples = await prometheus.query(expr)
        if not samples and not may_be_empty(expr):
            missing.append(f"{board.name}, {panel.title}: nothing for {expr}")
        said += [f"{_legend(query.legend, sample)} {sample.value:.4g}" for sample in samples]
    if not said and not panel.quiet:
        missing.append(f"{board.name}, {panel.title}: nothing, and no reason for it")
    return said, missing


def _legend(legend: str, sample: Sample) -> str:
    named = re.sub(r"\{\{(\w+)\}\}", lambda found: sample.labels.get(found[1], ""), legend)
    return f"{named}:" if named else ""


def keep(panels: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
    """Write what each panel showed, where a file is named for it."""
    if path := os.environ.get("EARSHOT_PANELS"):
        Path(path).write_text(json.dumps(panels, indent=1, ensure_ascii=False), encoding="utf-8")


async def test_every_query_has_data(prometheus: Prometheus) -> None:
    panels: dict[str, dict[str, list[str]]] = {}
    missing: list[str] = []
    for board in BOARDS:
        values = await chosen(board, prometheus)
        panels[board.title] = {}
        for panel in board.panels():
            said, lacks = await shown(panel, board, values, prometheus)
            panels[board.title][panel.title] = said
            missing += lacks
    keep(panels)
    assert missing == []
    await check_rules(prometheus)
    await check_runbooks(prometheus)


async def check_rules(prometheus: Prometheus) -> None:
    """Each is understood, each names series that are there, and none fires where all is well."""
    rules = await prometheus.rules()
    written = [
        rule
        for path in sorted(DEPLOYED.glob("rules/*.yaml"))
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]
    assert len(rules) == len(written)
    assert [rule for rule in rules if rule["health"] != "ok"] == []
    named = {rule["record"] for rule in written if "record" in rule}
    named |= {selector for rule in written for selector in selectors(rule["expr"])}
    missing = [one for one in named if not may_be_empty(one) and not await prometheus.query(one)]
    assert missing == []
    # how fast requests are is this machine's matter
    timed = {objective.alert for objective in OBJECTIVES}
    firing = {rule["name"] for rule in rules if rule.get("state") == "firing"} - timed
    assert firing == set()


async def check_runbooks(prometheus: Prometheus) -> None:
    """Whoever is woken types what the page says."""
    for page in sorted(RUNBOOKS.glob("*.md")):
        for block in re.findall(r"```promql\n(.*?)```", page.read_text(), re.DOTALL):
            for line in block.splitlines():
                assert await prometheus.query(line) or may_be_empty(line), (page.name, line)
