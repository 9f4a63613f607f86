"""What the pages name is there."""

import re
from pathlib import Path

import pytest

from tests.support.tools import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
A_PATH = re.compile(r"`((?:services|shared|programme|migrations|tests|deploy|docs)/[\w./-]*)`")
A_LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
EXAMPLES = {"shared/senders/sms.py", "tests/unit/test_senders_sms.py"}


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_path_in_a_page_exists(page: Path) -> None:
    named = set(A_PATH.findall(page.read_text())) - EXAMPLES

    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_link_in_a_page_leads_somewhere(page: Path) -> None:
    linked = set(A_LINK.findall(page.read_text()))

    assert [link for link in sorted(linked) if not (page.parent / link).exists()] == []


def test_every_decision_is_listed_under_its_five_headings() -> None:
    listed = (ROOT / "docs/adr/README.md").read_text()
    headings = [
        "## Context",
        "## Decision",
        "## Consequences",
        "## Alternatives considered",
        "## References",
    ]

    for page in sorted(ROOT.glob("docs/adr/0*.md")):
        assert f"({page.name})" in listed, page.name
        assert re.findall(r"^## .*$", page.read_text(), re.MULTILINE) == headings, page.name
