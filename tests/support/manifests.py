"""Kubernetes manifests as rendered, and how tests find one among them."""

from typing import Any

import pytest
import yaml

from tests.support.tools import run_tool, system_tool

Manifest = dict[str, Any]
SERVICES = {"ingest": 8001, "scoring": 8002, "trigger": 8003, "alerts": 8004}
JOBS = ["migrate", "topics"]
WORKLOADS = [("Deployment", name) for name in SERVICES] + [("Job", name) for name in JOBS]


@pytest.fixture(scope="module")
def manifests() -> list[Manifest]:
    """All that `kubectl apply -k deploy/k8s/base` would send."""
    rendered = run_tool(system_tool("kubectl"), "kustomize", "deploy/k8s/base")
    return list(yaml.safe_load_all(rendered))


def one(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    """The one manifest of that kind and name."""
    (found,) = [m for m in manifests if (m["kind"], m["metadata"]["name"]) == (kind, name)]
    return found


def pod(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    """The pod that a workload starts."""
    spec: Manifest = one(manifests, kind, f"earshot-{name}")["spec"]["template"]["spec"]
    return spec


def container(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    """A workload's only container."""
    (only,) = pod(manifests, kind, name)["containers"]
    found: Manifest = only
    return found
