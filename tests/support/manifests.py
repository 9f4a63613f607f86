"""Kubernetes manifests as rendered, and how tests find one among them."""

import re
from functools import cache
from typing import Any

import pytest
import yaml

from tests.support.tools import run_tool, system_tool

Manifest = dict[str, Any]
SERVICES = {"ingest": 8001, "scoring": 8002, "trigger": 8003, "alerts": 8004}
CONSUMERS = ["scoring", "trigger", "alerts"]
JOBS = ["migrate", "topics"]
WORKLOADS = [
    *(("Deployment", name) for name in SERVICES),
    ("Deployment", "operator"),
    *(("Job", name) for name in JOBS),
]
KUSTOMIZATIONS = {
    "base": "deploy/k8s/base",
    "dev": "deploy/k8s/overlays/dev",
    "prod": "deploy/k8s/overlays/prod",
}
GENERATED = re.compile(r"-[a-z0-9]{10}$")


@cache
def rendered(path: str) -> str:
    """All that `kubectl apply -k` would send, as text."""
    return run_tool(system_tool("kubectl"), "kustomize", path)


def manifests_of(name: str) -> list[Manifest]:
    """All that applying the base or an overlay would send."""
    return list(yaml.safe_load_all(rendered(KUSTOMIZATIONS[name])))


@pytest.fixture(scope="module")
def manifests() -> list[Manifest]:
    """The base."""
    return manifests_of("base")


@pytest.fixture(scope="module", params=KUSTOMIZATIONS)
def applied(request: pytest.FixtureRequest) -> list[Manifest]:
    """The base and each overlay, one after another."""
    return manifests_of(request.param)


@pytest.fixture(scope="module", params=["dev", "prod"])
def overlaid(request: pytest.FixtureRequest) -> list[Manifest]:
    """Each overlay, one after another."""
    return manifests_of(request.param)


@pytest.fixture(scope="module")
def prod() -> list[Manifest]:
    """The overlay for production."""
    return manifests_of("prod")


def one(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    """The one manifest of that kind and name; a ConfigMap's hash is no part of its name."""
    (found,) = [m for m in named(manifests, kind) if _name(m) == name]
    return found


def named(manifests: list[Manifest], kind: str) -> list[Manifest]:
    """All manifests of that kind."""
    return [m for m in manifests if m["kind"] == kind]


def _name(manifest: Manifest) -> str:
    name: str = manifest["metadata"]["name"]
    return GENERATED.sub("", name) if manifest["kind"] == "ConfigMap" else name


def pod(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    """The pod that a workload starts."""
    spec: Manifest = one(manifests, kind, f"earshot-{name}")["spec"]["template"]["spec"]
    return spec


def container(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    """A workload's only container."""
    (only,) = pod(manifests, kind, name)["containers"]
    found: Manifest = only
    return found


def delivered(manifests: list[Manifest], kind: str, name: str) -> set[str]:
    """The paths of the secrets that a workload finds in its files."""
    volumes = {v["name"]: v for v in pod(manifests, kind, name)["volumes"]}
    return {
        f"{mount['mountPath']}/{item['path']}"
        for mount in container(manifests, kind, name)["volumeMounts"]
        for secret in _secrets(volumes[mount["name"]])
        for item in secret["items"]
    }


def _secrets(volume: Manifest) -> list[Manifest]:
    sources = volume.get("projected", {}).get("sources", [])
    found = [source["secret"] for source in sources]
    return [*found, volume["secret"]] if "secret" in volume else found
