"""The rules of Prometheus as a resource of its operator, for those who run it on Kubernetes."""

from pathlib import Path
from typing import Final

import yaml

_RULES: Final = Path(__file__).resolve().parents[1] / "deploy" / "prometheus" / "rules"
_HEAD: Final = """\
# Written by `make generate` from deploy/prometheus/rules; change it there.
# yamllint disable
"""


def write_rules() -> str:
    """All groups, in the order of the files' names."""
    files = sorted(_RULES.glob("*.yaml"))
    groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    resource = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "earshot"},
        "spec": {"groups": groups},
    }
    return _HEAD + yaml.safe_dump(resource, sort_keys=False, allow_unicode=True, width=120)
