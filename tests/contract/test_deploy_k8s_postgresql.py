"""PostgreSQL loses no acknowledged write, and a service sees its own schema alone."""

import re

import pytest

from shared.db import SCHEMAS
from tests.support.manifests import (
    CONSUMERS,
    Manifest,
    container,
    manifests_of,
    one,
    overlaid,
    pod,
    prod,
)

pytestmark = pytest.mark.tools
__all__ = ["overlaid", "prod"]

CONNECTIONS = 12  # of a pod at most: eight in the pool and four besides
RESERVED = 10  # the operator's own, and the superuser's


def cluster_of(manifests: list[Manifest]) -> Manifest:
    spec: Manifest = one(manifests, "Cluster", "earshot-postgresql")["spec"]
    return spec


def test_a_commit_is_on_two_instances_before_it_is_acknowledged(prod: list[Manifest]) -> None:
    spec = cluster_of(prod)

    assert spec["instances"] == 3
    assert spec["postgresql"]["synchronous"] == {
        "method": "any",
        "number": 1,
        "dataDurability": "required",
    }
    assert spec["enablePDB"] is True


def test_one_instance_waits_for_nobody() -> None:
    spec = cluster_of(manifests_of("dev"))

    assert spec["instances"] == 1
    assert "synchronous" not in spec["postgresql"]


def test_it_is_postgresql_18(overlaid: list[Manifest]) -> None:
    assert re.search(r":18\.\d", cluster_of(overlaid)["imageName"])


def test_nobody_talks_to_it_in_the_open(overlaid: list[Manifest]) -> None:
    spec = cluster_of(overlaid)

    assert spec["postgresql"]["pg_hba"] == ["hostnossl all all all reject"]
    assert spec["enableSuperuserAccess"] is False


def test_each_service_has_a_role_with_few_rights(overlaid: list[Manifest]) -> None:
    spec = cluster_of(overlaid)
    roles = {role["name"]: role for role in spec["managed"]["roles"]}
    granted = [q for q in spec["bootstrap"]["initdb"]["postInitApplicationSQL"] if "GRANT" in q]

    assert set(roles) == {f"earshot_{schema}" for schema in SCHEMAS}
    for name, role in roles.items():
        secret = f"earshot-database-{name.removeprefix('earshot_')}"
        assert set(role) == {"name", "login", "connectionLimit", "passwordSecret"}
        assert role["passwordSecret"] == {"name": secret}
    given = "GRANT CONNECT, CREATE ON DATABASE earshot TO "
    assert granted == [given + "earshot_scoring, earshot_trigger, earshot_alerts"]


def test_there_are_connections_for_as_many_pods_as_may_be(prod: list[Manifest]) -> None:
    spec = cluster_of(prod)
    roles = {role["name"]: role["connectionLimit"] for role in spec["managed"]["roles"]}
    most = {
        name: (one(prod, "ScaledObject", f"earshot-{name}")["spec"]["maxReplicaCount"] + 1)
        * CONNECTIONS
        for name in CONSUMERS
    }

    assert all(most[name] < roles[f"earshot_{name}"] for name in CONSUMERS)
    allowed = int(spec["postgresql"]["parameters"]["max_connections"])
    assert sum(most.values()) + RESERVED <= allowed


@pytest.mark.parametrize("name", CONSUMERS)
def test_a_service_logs_in_as_itself(overlaid: list[Manifest], name: str) -> None:
    volumes = {v["name"]: v for v in pod(overlaid, "Deployment", name)["volumes"]}
    sources = [s["secret"]["name"] for s in volumes["postgresql"]["projected"]["sources"]]
    told = {e["name"]: e["value"] for e in container(overlaid, "Deployment", name)["env"]}

    assert sources == [f"earshot-database-{name}", "earshot-postgresql-ca"]
    assert "database-url" not in {item["key"] for item in volumes["secrets"]["secret"]["items"]}
    assert told["EARSHOT_DATABASE_URL_FILE"] == "/run/secrets/postgresql/uri"
    assert told["EARSHOT_DATABASE_CA_FILE"] == "/run/secrets/postgresql/ca.crt"


def test_each_schema_is_changed_by_its_owner(overlaid: list[Manifest]) -> None:
    told = {e["name"]: e["value"] for e in container(overlaid, "Job", "migrate")["env"]}
    (volume,) = [v for v in pod(overlaid, "Job", "migrate")["volumes"] if v["name"] == "postgresql"]
    paths = {
        s["secret"]["name"]: [item["path"] for item in s["secret"]["items"]]
        for s in volume["projected"]["sources"]
    }

    assert "EARSHOT_DATABASE_URL_FILE" not in told
    for schema in SCHEMAS:
        file = f"/run/secrets/postgresql/{schema}"
        assert told[f"EARSHOT_{schema.upper()}_DATABASE_URL_FILE"] == file
        assert paths[f"earshot-database-{schema}"] == [schema]


def test_ingest_has_no_database(overlaid: list[Manifest]) -> None:
    told = {e["name"] for e in container(overlaid, "Deployment", "ingest")["env"]}

    assert not [name for name in told if "DATABASE" in name]


def test_backups_are_kept_and_every_change_is_archived(prod: list[Manifest]) -> None:
    (plugin,) = cluster_of(prod)["plugins"]
    backup = one(prod, "ScheduledBackup", "earshot-postgresql")["spec"]
    store = one(prod, "ObjectStore", plugin["parameters"]["barmanObjectName"])

    assert plugin["isWALArchiver"] is True
    assert len(backup["schedule"].split()) == 6
    assert backup["cluster"] == {"name": "earshot-postgresql"}
    assert backup["method"] == "plugin"
    assert backup["pluginConfiguration"] == {"name": plugin["name"]}
    # no schema of the store itself is published where the others are: its fields by hand
    assert store["apiVersion"] == "barmancloud.cnpg.io/v1"
    assert set(store["spec"]) == {"configuration", "retentionPolicy"}
    assert store["spec"]["retentionPolicy"] == "30d"
    keys = store["spec"]["configuration"]["s3Credentials"].values()
    assert {key["name"] for key in keys} == {"earshot-backup"}
