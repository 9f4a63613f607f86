"""The manifests apply, and no workload has more rights than it needs, in the base or an overlay."""

import re

import kubernetes_validate
import pytest

from tests.support.manifests import (
    WORKLOADS,
    Manifest,
    applied,
    container,
    delivered,
    manifests,
    named,
    one,
    pod,
    prod,
)

pytestmark = pytest.mark.tools
__all__ = ["applied", "manifests", "prod"]

BUILT_IN = {"v1", "apps", "autoscaling", "batch", "networking.k8s.io", "policy"}
FOLDERS = {"/tmp", "/var/lib/earshot"}
READ_ONLY = {
    "/run/secrets/earshot",
    "/run/secrets/kafka",
    "/run/secrets/postgresql",
    "/srv/earshot/programme",
}


def group_of(manifest: Manifest) -> str:
    group: str = manifest["apiVersion"].partition("/")[0]
    return group


def test_every_manifest_is_known_to_kubernetes_field_by_field(applied: list[Manifest]) -> None:
    version = kubernetes_validate.latest_version()

    for manifest in applied:
        if group_of(manifest) in BUILT_IN:
            kubernetes_validate.validate(manifest, version, strict=True)


def test_a_misspelt_field_would_be_found(manifests: list[Manifest]) -> None:
    misspelt = one(manifests, "Namespace", "earshot") | {"sepc": {}}

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(misspelt, kubernetes_validate.latest_version(), strict=True)


def test_the_base_needs_no_custom_resources(manifests: list[Manifest]) -> None:
    assert {group_of(m) for m in manifests} <= BUILT_IN


def test_no_secret_is_delivered(applied: list[Manifest]) -> None:
    assert named(applied, "Secret") == []


def test_everything_is_in_the_one_namespace(applied: list[Manifest]) -> None:
    outside = [m for m in applied if m["metadata"].get("namespace") != "earshot"]

    assert [m["kind"] for m in outside] == ["Namespace"]


def test_the_namespace_refuses_pods_with_rights(applied: list[Manifest]) -> None:
    labels = one(applied, "Namespace", "earshot")["metadata"]["labels"]

    for mode in ("enforce", "audit", "warn"):
        assert labels[f"pod-security.kubernetes.io/{mode}"] == "restricted"


def test_every_workload_is_one_that_these_tests_know(applied: list[Manifest]) -> None:
    kinds = {"Deployment", "Job", "StatefulSet", "DaemonSet", "CronJob", "Pod", "ReplicaSet"}
    found = {(m["kind"], m["metadata"]["name"]) for m in applied if m["kind"] in kinds}

    assert found == {(kind, f"earshot-{name}") for kind, name in WORKLOADS}


@pytest.mark.parametrize(("kind", "name"), WORKLOADS)
def test_a_pod_runs_without_rights(applied: list[Manifest], kind: str, name: str) -> None:
    spec = pod(applied, kind, name)

    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "fsGroup": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert spec["serviceAccountName"] == "earshot"
    assert spec["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)


def test_the_account_has_no_token_either(applied: list[Manifest]) -> None:
    assert one(applied, "ServiceAccount", "earshot")["automountServiceAccountToken"] is False
    assert not named(applied, "RoleBinding") + named(applied, "ClusterRoleBinding")


@pytest.mark.parametrize(("kind", "name"), WORKLOADS)
def test_a_container_can_gain_no_rights(applied: list[Manifest], kind: str, name: str) -> None:
    only = container(applied, kind, name)

    assert only["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not any("hostPort" in port for port in only.get("ports", []))


@pytest.mark.parametrize(("kind", "name"), WORKLOADS)
def test_it_writes_only_to_empty_folders_of_bounded_size(
    applied: list[Manifest], kind: str, name: str
) -> None:
    volumes = {v["name"]: v for v in pod(applied, kind, name)["volumes"]}
    mounts = container(applied, kind, name)["volumeMounts"]
    writable = {m["mountPath"]: volumes[m["name"]] for m in mounts if not m.get("readOnly")}

    assert set(writable) == FOLDERS
    assert all("sizeLimit" in volume["emptyDir"] for volume in writable.values())
    assert {m["mountPath"] for m in mounts} - FOLDERS <= READ_ONLY
    assert set(volumes) == {m["name"] for m in mounts}
    assert "hostPath" not in {key for volume in volumes.values() for key in volume}


@pytest.mark.parametrize(("kind", "name"), WORKLOADS)
def test_resources_are_asked_for_and_memory_is_bounded(
    applied: list[Manifest], kind: str, name: str
) -> None:
    resources = container(applied, kind, name)["resources"]

    assert set(resources["requests"]) == {"cpu", "memory"}
    assert set(resources["limits"]) == {"memory"}  # a CPU limit throttles, and delays answers


@pytest.mark.parametrize(("kind", "name"), WORKLOADS)
def test_the_image_has_a_version(applied: list[Manifest], kind: str, name: str) -> None:
    tag = container(applied, kind, name)["image"].rpartition(":")[2]

    assert tag[0].isdigit()


@pytest.mark.parametrize(("kind", "name"), WORKLOADS)
def test_the_image_of_production_cannot_be_moved(
    prod: list[Manifest], kind: str, name: str
) -> None:
    assert re.search(r"@sha256:[0-9a-f]{64}$", container(prod, kind, name)["image"])


@pytest.mark.parametrize(("kind", "name"), WORKLOADS)
def test_service_links_cannot_overwrite_settings(
    applied: list[Manifest], kind: str, name: str
) -> None:
    assert pod(applied, kind, name)["enableServiceLinks"] is False


@pytest.mark.parametrize(("kind", "name"), WORKLOADS)
def test_secrets_come_as_files_that_the_pod_may_read(
    applied: list[Manifest], kind: str, name: str
) -> None:
    environment = container(applied, kind, name)["env"]
    volumes = pod(applied, kind, name)["volumes"]
    held = [v.get("secret") or v.get("projected") for v in volumes]

    assert all(e["name"].endswith("_FILE") and "valueFrom" not in e for e in environment)
    assert {e["value"] for e in environment} == delivered(applied, kind, name)
    assert all(volume["defaultMode"] == 0o440 for volume in held if volume)
    sent = container(applied, kind, name)["envFrom"]
    assert [set(source) for source in sent] == [{"configMapRef"}]
