"""What an overlay tells a service, the service reads: a misspelt name would pass in silence."""

import pytest

from services.commands.run import SETTINGS
from shared.settings import PREFIX, Settings
from tests.support.manifests import SERVICES, Manifest, container, one, overlaid

pytestmark = pytest.mark.tools
__all__ = ["overlaid"]


def read_by(model: type[Settings]) -> set[str]:
    fields = {f"{PREFIX}{field.upper()}" for field in model.model_fields}
    return fields | {f"{field}_FILE" for field in fields}


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_is_told_is_read(overlaid: list[Manifest], name: str) -> None:
    (model,) = [model for model in SETTINGS if model.service == name]
    told = {entry["name"] for entry in container(overlaid, "Deployment", name)["env"]}

    assert told <= read_by(model)


def test_what_everyone_is_told_is_read_by_someone(overlaid: list[Manifest]) -> None:
    told = set(one(overlaid, "ConfigMap", "earshot")["data"])

    assert told <= set().union(*(read_by(model) for model in SETTINGS))
