"""What the four documents promise is held on a real database, whatever is sent.

The examples are the same each time; `EARSHOT_EXAMPLES=300` asks for that many others of each route.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.support.four import write_keys
from tests.support.listening import listening
from tests.support.scoring_api import fill

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(600)]

MORE: Final = int(os.environ.get("EARSHOT_EXAMPLES", "0"))
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]
ENDLESS: Final = "/v1/stream"  # a good question has an answer without end; its faults are tested
MODES: Final = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


@pytest.fixture(scope="module", params=["open", "keyed"])
def addresses(
    request: pytest.FixtureRequest, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """The four services, and the header that opens them."""
    folder: Path = tmp_path_factory.mktemp("documents")
    given_: dict[str, Any] = {"docs": True, "rate_per_address": 0, "rate_per_key": 0}
    headers = {}
    if request.param == "keyed":
        headers["authorization"] = write_keys(folder / "keys", {"all": ["*"]})["all"]
        given_["keys_file"] = folder / "keys"
    else:
        fill(database_url)
    with listening(database_url, folder, **given_) as found:
        yield found, headers


@pytest.mark.parametrize("service", ["ingest", "scoring", "trigger", "alerts"])
def test_what_the_document_says_is_held(
    addresses: tuple[dict[str, str], dict[str, str]], service: str
) -> None:
    base, headers = addresses[0][service], addresses[1]
    document = httpx.get(f"{base}/openapi.json").raise_for_status().json()
    schema = schemathesis.openapi.from_dict(without_tuples(document))
    faults: list[str] = []

    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        for mode in MODES:
            if operation.path == ENDLESS and mode is GenerationMode.POSITIVE:
                continue
            try:
                hold(operation, mode, base, headers)
            except (Exception, BaseExceptionGroup) as fault:  # noqa: BLE001 - all are looked at
                faults.append(f"{operation.label} ({mode.value}): {fault}")

    assert not faults, "\n\n".join(faults)


def hold(operation: Any, mode: GenerationMode, base: str, headers: dict[str, str]) -> None:
    """Ask one route many things. Raises what schemathesis found."""

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=MORE or 10,
        derandomize=not MORE,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:
        case.call_and_validate(base_url=base, headers=headers, checks=CHECKS, timeout=20)

    with contextlib.suppress(Unsatisfiable):  # a route without parameters cannot be asked amiss
        ask()


def without_tuples(found: Any) -> Any:
    """Schemathesis turns `prefixItems` into what it refuses itself; an array of any will do."""
    if isinstance(found, list):
        return [without_tuples(one) for one in found]
    if not isinstance(found, dict):
        return found
    whole = {key: without_tuples(value) for key, value in found.items()}
    first = whole.pop("prefixItems", None)
    return whole if first is None else {**whole, "items": {"anyOf": first}}
