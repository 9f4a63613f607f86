"""The benchmark of questions runs as a whole, and its figures can be kept."""

import json
from pathlib import Path

import pytest

from benchmarks.queries import __main__ as program
from benchmarks.queries.asking import SHAPES


@pytest.mark.thorough
def test_every_question_is_asked_in_every_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "queries.json"
    told = ["--answers", "2000", "--segments", "100", "--seconds", "0"]
    monkeypatch.setattr("sys.argv", ["queries", *told, "--json", str(kept)])
    program.main()
    asked, start = json.loads(kept.read_text())["tables"]
    assert [row[0] for row in asked["rows"]] == list(SHAPES)
    assert all(figure > 0 for row in asked["rows"] for figure in row[1:])
    assert start["rows"][0][1] > 2_000
