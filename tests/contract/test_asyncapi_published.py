"""docs/asyncapi.yaml is AsyncAPI 3 by the specification's own schema."""

import json
from typing import Any

import jsonschema
import pytest
import yaml

from tests.support.tools import ROOT, fetched

pytestmark = pytest.mark.tools
SCHEMAS = ROOT / ".ci" / "schemas" / "node_modules" / "@asyncapi" / "specs" / "schemas"


@pytest.fixture(scope="module")
def specification() -> Any:
    return json.loads(fetched(SCHEMAS / "3.0.0-without-$id.json").read_text(encoding="utf-8"))


@pytest.fixture
def document() -> Any:
    return yaml.safe_load((ROOT / "docs" / "asyncapi.yaml").read_text(encoding="utf-8"))


def test_the_document_is_as_the_specification_says(specification: Any, document: Any) -> None:
    jsonschema.validate(document, specification)


def test_a_misspelt_field_would_be_found(specification: Any, document: Any) -> None:
    document["channels"]["dead-letters"]["adress"] = "dead-letters"

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, specification)
