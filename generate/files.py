"""Every generated file, and who makes it."""

from collections.abc import Callable, Mapping
from typing import Final

from generate.asyncapi import write_asyncapi
from generate.boards import BOARDS
from generate.kubernetes import write_rules
from generate.objectives import write_objectives
from generate.series import write_series

FILES: Final[Mapping[str, Callable[[], str]]] = {
    # before what is made of all rules
    "deploy/prometheus/rules/objectives.yaml": write_objectives,
    "deploy/k8s/components/monitoring/rules.yaml": write_rules,
    **{f"deploy/grafana/dashboards/{board.name}.json": board.write for board in BOARDS},
    "docs/asyncapi.yaml": write_asyncapi,
    "docs/metrics.md": write_series,
}
