"""What the deployment sets is what the services read: a misspelt name would pass in silence."""

from importlib import import_module
from typing import Any

import pytest
import yaml

from shared.settings import PREFIX, Settings
from tests.support.manifests import SERVICES, Manifest, container, manifests, one
from tests.support.tools import ROOT

__all__ = ["manifests"]


def settings_of(name: str) -> type[Settings]:
    module = import_module(f"services.{name}.settings")
    (found,) = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Settings) and value.service == name
    ]
    return found


def read_by(name: str) -> set[str]:
    fields = [f"{PREFIX}{field.upper()}" for field in settings_of(name).model_fields]
    return {*fields, *(f"{field}_FILE" for field in fields)}


def required_by(name: str) -> set[str]:
    fields = settings_of(name).model_fields.items()
    return {f"{PREFIX}{key.upper()}" for key, field in fields if field.is_required()}


def ours(environment: dict[str, Any] | set[str]) -> set[str]:
    return {key for key in environment if key.startswith(PREFIX)}


def without_file(names: set[str]) -> set[str]:
    return {name.removesuffix("_FILE") for name in names}


@pytest.mark.parametrize("name", SERVICES)
def test_compose_sets_what_the_service_reads(name: str) -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    told = ours(compose["services"][name]["environment"])

    assert told <= read_by(name)
    assert required_by(name) <= without_file(told)


@pytest.mark.tools
@pytest.mark.parametrize("name", SERVICES)
def test_kubernetes_sets_what_the_service_reads(manifests: list[Manifest], name: str) -> None:
    everyone = ours(one(manifests, "ConfigMap", "earshot")["data"])
    own = ours({entry["name"] for entry in container(manifests, "Deployment", name)["env"]})

    assert own <= read_by(name)
    assert required_by(name) <= without_file(everyone | own)


@pytest.mark.tools
def test_what_everyone_is_told_is_read_by_someone(manifests: list[Manifest]) -> None:
    everyone = ours(one(manifests, "ConfigMap", "earshot")["data"])

    assert everyone <= set().union(*(read_by(name) for name in SERVICES))


def test_the_image_sets_what_a_service_reads() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    told = {word.partition("=")[0] for word in dockerfile.split() if word.startswith(PREFIX)}

    assert told
    assert all(told <= read_by(name) for name in SERVICES)
