"""What tools of others say: the published schemas of custom resources, checkov, yamllint."""

import json
from copy import deepcopy
from pathlib import Path
from subprocess import run
from typing import Any

import pytest
import yaml

from tests.support.manifests import KUSTOMIZATIONS, Manifest, manifests_of, one, prod, rendered
from tests.support.tools import ROOT, fetched, locked_tool, run_tool, system_tool

pytestmark = pytest.mark.tools
__all__ = ["prod"]

CHECK = ROOT / ".ci" / "schemas" / "check.mjs"
CUSTOM = {
    "barmancloud.cnpg.io",
    "kafka.strimzi.io",
    "keda.sh",
    "monitoring.coreos.com",
    "postgresql.cnpg.io",
}
# What checkov asks for and does not get, and why.
PASSED_OVER = {
    "CKV_K8S_11": "a CPU limit throttles a pod that others would let run, and delays answers",
}
WITHOUT_A_DIGEST = {
    "CKV_K8S_15": "a version is pulled once; production names a digest, which nobody can move",
    "CKV_K8S_43": "base and dev name a version; production names a digest",
}


def custom(manifests: list[Manifest]) -> list[Manifest]:
    return [m for m in manifests if m["apiVersion"].partition("/")[0] in CUSTOM]


def against_schemas(manifests: list[Manifest]) -> tuple[int, str]:
    fetched(CHECK.parent / "node_modules")
    given = json.dumps(manifests)
    command = [system_tool("node"), str(CHECK)]
    done = run(command, input=given, capture_output=True, text=True, timeout=100, check=False)
    return done.returncode, done.stdout + done.stderr


def test_custom_resources_fit_their_published_schemas() -> None:
    found = [m for name in ("dev", "prod") for m in custom(manifests_of(name))]

    code, said = against_schemas(found)

    assert code == 0, said
    assert {m["apiVersion"].partition("/")[0] for m in found} == CUSTOM


BROKEN: list[tuple[str, str, list[str | int], dict[str, Any], str]] = [
    ("KafkaTopic", "transactions", [], {"partitons": 12}, "partitons"),
    ("KafkaUser", "earshot-alerts", ["authorization", "acls", 0], {"operations": ["Se"]}, "Se"),
    ("Kafka", "earshot", ["kafka", "listeners", 0], {"type": "open"}, "type"),
    ("ScaledObject", "earshot-alerts", ["triggers", 0], {"metdata": {}}, "metdata"),
    ("Cluster", "earshot-postgresql", ["postgresql"], {"sync": {}}, "sync"),
    ("ObjectStore", "earshot", ["configuration", "wal"], {"compression": "rar"}, "compression"),
    ("PodMonitor", "earshot", ["podMetricsEndpoints", 0], {"interval": "soon"}, "interval"),
    ("PrometheusRule", "earshot", ["groups", 0, "rules", 0], {"expresion": "1"}, "expresion"),
]


def test_a_broken_field_is_found_in_each(prod: list[Manifest]) -> None:
    broken = []
    for kind, name, path, change, _ in BROKEN:
        manifest = deepcopy(one(prod, kind, name))
        at: Any = manifest["spec"]
        for step in path:
            at = at[step]
        at.update(change)
        broken.append(manifest)

    code, said = against_schemas(broken)

    assert code == 1
    for kind, name, _, _, complaint in BROKEN:
        complaints = [line for line in said.splitlines() if line.startswith(f"{kind} {name}: ")]
        assert any(complaint in line for line in complaints), (kind, said)


def by_checkov(file: Path, *, without: set[str]) -> list[str]:
    """The faults that checkov finds. It fetches nothing: its rules are its own."""
    checkov = fetched(ROOT / ".tools" / "checkov" / "bin" / "checkov")
    asked = ["--file", str(file), "--framework", "kubernetes", "--skip-check", ",".join(without)]
    quietly = ["--output", "json", "--quiet", "--compact", "--skip-download", "--soft-fail"]
    report = json.loads(run_tool(str(checkov), *asked, *quietly))
    assert report["summary"]["passed"] > 400
    assert report["summary"]["parsing_errors"] == 0
    failed: list[dict[str, str]] = report["results"]["failed_checks"]
    return [f"{one['check_id']} {one['check_name']}: {one['resource']}" for one in failed]


@pytest.mark.parametrize("name", KUSTOMIZATIONS)
def test_checkov_finds_nothing(name: str, tmp_path: Path) -> None:
    file = tmp_path / f"{name}.yaml"
    file.write_text(rendered(KUSTOMIZATIONS[name]))
    without = set(PASSED_OVER) | (set() if name == "prod" else set(WITHOUT_A_DIGEST))

    assert by_checkov(file, without=without) == []


def test_checkov_would_find_a_pod_with_rights(prod: list[Manifest], tmp_path: Path) -> None:
    file = tmp_path / "loose.yaml"
    loose = deepcopy(prod)
    only = one(loose, "Deployment", "earshot-alerts")["spec"]["template"]["spec"]["containers"][0]
    only["securityContext"]["allowPrivilegeEscalation"] = True
    file.write_text(yaml.safe_dump_all(loose))

    (fault,) = by_checkov(file, without=set(PASSED_OVER))
    assert "earshot-alerts" in fault


def test_yamllint_has_nothing_to_say() -> None:
    run_tool(locked_tool("yamllint"), "--strict", "deploy/k8s", "programme/kustomization.yaml")
