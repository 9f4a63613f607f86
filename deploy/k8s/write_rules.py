"""Write the rules of deploy/prometheus/rules as one resource of the Prometheus operator.

    python deploy/k8s/write_rules.py

Needs PyYAML. A test keeps the file equal to what this writes.
"""

# ruff: noqa: INP001  (a script, run by its path)

from pathlib import Path
from typing import Final

import yaml

DEPLOY: Final = Path(__file__).resolve().parents[1]
WRITTEN: Final = DEPLOY / "k8s" / "components" / "monitoring" / "rules.yaml"
HEAD: Final = (
    "# Written by deploy/k8s/write_rules.py from deploy/prometheus/rules.\n# yamllint disable\n"
)


def render_rules() -> str:
    """The resource, with the groups of every file in the order of the files' names."""
    files = sorted((DEPLOY / "prometheus" / "rules").glob("*.yaml"))
    groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    resource = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "earshot"},
        "spec": {"groups": groups},
    }
    return HEAD + yaml.safe_dump(resource, sort_keys=False, allow_unicode=True, width=120)


if __name__ == "__main__":
    WRITTEN.write_text(render_rules(), encoding="utf-8")
