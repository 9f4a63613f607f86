"""The manifests apply, and no workload has more rights than it needs."""

import kubernetes_validate
import pytest

from tests.support.manifests import (
    JOBS,
    SERVICES,
    WORKLOADS,
    Manifest,
    container,
    manifests,
    one,
    pod,
)

pytestmark = pytest.mark.tools
__all__ = ["manifests"]


def test_every_manifest_is_known_to_kubernetes_field_by_field(manifests: list[Manifest]) -> None:
    version = kubernetes_validate.latest_version()

    for manifest in manifests:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_a_misspelt_field_would_be_found(manifests: list[Manifest]) -> None:
    misspelt = one(manifests, "Namespace", "earshot") | {"sepc": {}}

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(misspelt, kubernetes_validate.latest_version(), strict=True)


def test_the_base_needs_no_custom_resources(manifests: list[Manifest]) -> None:
    groups = {m["apiVersion"].partition("/")[0] for m in manifests}

    assert groups <= {"v1", "apps", "batch", "networking.k8s.io", "policy"}


def test_no_secret_is_delivered(manifests: list[Manifest]) -> None:
    assert "Secret" not in {m["kind"] for m in manifests}


def test_the_namespace_refuses_pods_with_rights(manifests: list[Manifest]) -> None:
    labels = one(manifests, "Namespace", "earshot")["metadata"]["labels"]

    for mode in ("enforce", "audit", "warn"):
        assert labels[f"pod-security.kubernetes.io/{mode}"] == "restricted"


def test_every_workload_is_one_that_these_tests_know(manifests: list[Manifest]) -> None:
    kinds = {"Deployment", "Job", "StatefulSet", "DaemonSet", "CronJob", "Pod", "ReplicaSet"}
    found = {(m["kind"], m["metadata"]["name"]) for m in manifests if m["kind"] in kinds}

    assert found == {(kind, f"earshot-{name}") for kind, name in WORKLOADS}


@pytest.mark.parametrize(("kind", "name"), WORKLOADS)
def test_a_pod_runs_without_rights(manifests: list[Manifest], kind: str, name: str) -> None:
    spec = pod(manifests, kind, name)

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


@pytest.mark.parametrize(("kind", "name"), WORKLOADS)
def test_a_container_can_gain_no_rights(manifests: list[Manifest], kind: str, name: str) -> None:
    only = container(manifests, kind, name)

    assert only["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not any("hostPort" in port for port in only.get("ports", []))


@pytest.mark.parametrize(("kind", "name"), WORKLOADS)
def test_it_writes_only_to_empty_folders_of_bounded_size(
    manifests: list[Manifest], kind: str, name: str
) -> None:
    volumes = {v["name"]: v for v in pod(manifests, kind, name)["volumes"]}
    mounts = container(manifests, kind, name)["volumeMounts"]
    writable = [volumes[m["name"]] for m in mounts if not m.get("readOnly")]

    assert {m["mountPath"] for m in mounts} == {"/tmp", "/var/lib/earshot", "/run/secrets/earshot"}
    assert all("sizeLimit" in volume["emptyDir"] for volume in writable)
    assert "hostPath" not in {key for volume in volumes.values() for key in volume}


@pytest.mark.parametrize(("kind", "name"), WORKLOADS)
def test_resources_are_asked_for_and_memory_is_bounded(
    manifests: list[Manifest], kind: str, name: str
) -> None:
    resources = container(manifests, kind, name)["resources"]

    assert set(resources["requests"]) == {"cpu", "memory"}
    assert set(resources["limits"]) == {"memory"}  # a CPU limit throttles, and delays answers


@pytest.mark.parametrize(("kind", "name"), WORKLOADS)
def test_the_image_has_a_version(manifests: list[Manifest], kind: str, name: str) -> None:
    tag = container(manifests, kind, name)["image"].rpartition(":")[2]

    assert tag[0].isdigit()


@pytest.mark.parametrize(("kind", "name"), WORKLOADS)
def test_service_links_cannot_overwrite_settings(
    manifests: list[Manifest], kind: str, name: str
) -> None:
    assert pod(manifests, kind, name)["enableServiceLinks"] is False


@pytest.mark.parametrize(("kind", "name"), WORKLOADS)
def test_secrets_come_as_files_that_the_pod_may_read(
    manifests: list[Manifest], kind: str, name: str
) -> None:
    environment = container(manifests, kind, name).get("env", [])
    (secrets,) = [v for v in pod(manifests, kind, name)["volumes"] if v["name"] == "secrets"]
    named = {e["value"].rpartition("/")[2] for e in environment}
    delivered = {item["path"] for item in secrets.get("secret", {}).get("items", [])}

    assert all(e["name"].endswith("_FILE") and "valueFrom" not in e for e in environment)
    assert named == delivered
    assert secrets.get("secret", {}).get("defaultMode", 0o440) == 0o440


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_probed_by_meaning(manifests: list[Manifest], name: str) -> None:
    only = container(manifests, "Deployment", name)

    assert only["startupProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert only["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert only["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_replaced_without_a_gap(manifests: list[Manifest], name: str) -> None:
    deployment = one(manifests, "Deployment", f"earshot-{name}")["spec"]
    spec = deployment["template"]["spec"]
    (spread,) = spec["topologySpreadConstraints"]
    budget = one(manifests, "PodDisruptionBudget", f"earshot-{name}")["spec"]

    assert deployment["replicas"] >= 2
    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert spread["topologyKey"] == "kubernetes.io/hostname"
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == deployment["selector"] == spread["labelSelector"]
    pause = container(manifests, "Deployment", name)["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert spec["terminationGracePeriodSeconds"] >= pause + 30


@pytest.mark.parametrize(("name", "port"), SERVICES.items())
def test_a_service_is_reached_at_its_port(manifests: list[Manifest], name: str, port: int) -> None:
    service = one(manifests, "Service", f"earshot-{name}")["spec"]
    labels = one(manifests, "Deployment", f"earshot-{name}")["spec"]["template"]["metadata"]

    assert service.get("type", "ClusterIP") == "ClusterIP"
    assert [p["port"] for p in service["ports"]] == [port]
    assert [p["containerPort"] for p in container(manifests, "Deployment", name)["ports"]] == [port]
    assert service["selector"].items() <= labels["labels"].items()


@pytest.mark.parametrize("name", JOBS)
def test_a_job_ends_and_makes_room_for_the_next(manifests: list[Manifest], name: str) -> None:
    job = one(manifests, "Job", f"earshot-{name}")["spec"]

    assert job["activeDeadlineSeconds"] > 0
    assert job["ttlSecondsAfterFinished"] > 0
