"""What the page shows, done: components fit the base one by one, and its overlay builds."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.manifests import SERVICES, Manifest, container, named, one, rendered
from tests.support.tools import ROOT

pytestmark = pytest.mark.tools

PAGE = ROOT / "docs" / "kubernetes.md"
DIGEST = "sha256:" + 64 * "1"
COMPONENTS = sorted(path.name for path in (ROOT / "deploy/k8s/components").iterdir())
NEEDS = {"cnpg-backup": ["cnpg"]}


def built(folder: Path, kustomization: dict[str, Any]) -> list[Manifest]:
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return list(yaml.safe_load_all(rendered(str(folder))))


def from_here(folder: Path, path: str) -> str:
    return os.path.relpath(ROOT / "deploy/k8s" / path, folder.resolve())


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_fits_the_base_without_the_others(name: str, tmp_path: Path) -> None:
    parts = [*NEEDS.get(name, []), name]

    found = built(
        tmp_path,
        {
            "resources": [from_here(tmp_path, "base")],
            "components": [from_here(tmp_path, f"components/{part}") for part in parts],
        },
    )

    assert len(named(found, "Deployment")) == len(SERVICES) + 1  # the operator's desk


@pytest.mark.parametrize("name", COMPONENTS)
def test_the_page_says_what_each_component_is(name: str) -> None:
    assert f"`deploy/k8s/components/{name}`" in PAGE.read_text()


def test_the_overlay_that_the_page_shows_changes_what_it_names(tmp_path: Path) -> None:
    (shown,) = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    overlay = yaml.safe_load(shown.replace("sha256:…", DIGEST))
    overlay["resources"] = [from_here(tmp_path, "overlays/prod")]
    folder = tmp_path / "programme"
    folder.mkdir()
    for file in (ROOT / "programme").glob("*.yaml"):
        (folder / file.name).write_text(f"# theirs\n{file.read_text()}")

    found = built(tmp_path, overlay)

    settings = one(found, "ConfigMap", "earshot")["data"]
    programme = one(found, "ConfigMap", "earshot-programme")["data"]
    (ingress,) = named(found, "Ingress")
    for name in SERVICES:
        image = container(found, "Deployment", name)["image"]
        assert image == f"registry.example.com/earshot@{DIGEST}"
    assert settings["EARSHOT_PUBLIC_URL"] == "https://feedback.example.com"
    assert settings["EARSHOT_KAFKA_SECURITY"] == "tls"
    assert all(text.startswith("# theirs\n") for text in programme.values())
    assert [rule["host"] for rule in ingress["spec"]["rules"]] == ["feedback.example.com"]
    stored = one(found, "ObjectStore", "earshot")["spec"]["configuration"]
    assert stored["destinationPath"] == "s3://your-bucket/"
