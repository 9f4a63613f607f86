"""Each control that the threat model names has the test that it names."""

import re
from pathlib import Path
from typing import Final

from shared.keys import SCOPES

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
MODEL: Final = PAGE.partition("## Threat model")[2].partition("\n## ")[0]


def test_each_threat_has_a_control_and_tests_that_exist() -> None:
    rows = [line.strip("|").split("|") for line in MODEL.splitlines() if line.startswith("|")][2:]
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
    }

    assert len(rows) >= 15
    for asset, threat, control, tests in rows:
        named = re.findall(r"`(test_\w+)`", tests)
        assert named, (asset, threat)
        assert control.strip(), (asset, threat)
        assert set(named) <= there, set(named) - there


def test_every_scope_is_explained() -> None:
    keys = PAGE.partition("## API keys")[2].partition("\n## ")[0]

    assert not [scope for scope in SCOPES if f"`{scope}`" not in keys]
