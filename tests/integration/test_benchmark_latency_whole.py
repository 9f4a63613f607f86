"""The benchmark of latency, tiny and whole: every table has its rows."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.system import ROOT

TINY = ("--seconds", "1", "--hold", "0", "--guess", "50", "--loads", "40", "--faults", "2")


@pytest.mark.real_kafka
@pytest.mark.timeout(300)
def test_every_path_comes_out_at_its_end(tmp_path: Path) -> None:
    told = tmp_path / "latency.json"
    command = [sys.executable, "-m", "benchmarks.latency", *TINY, "--json", str(told)]

    subprocess.run(command, cwd=ROOT, check=True, timeout=280)

    tables = {one["name"]: one["rows"] for one in json.loads(told.read_text())["tables"]}
    assert [row[0] for row in tables["latency"]] == [
        "event -> mail",
        "record -> mail",
        "answer -> score",
        "fault -> alert, at once",
        "fault -> alert, one by one",
    ]
    assert all(row[4] > 0 for row in tables["latency"])
    assert {"answer_hops", "event_hops", "alert_hops"} < tables.keys()
    assert json.loads(told.read_text())["notes"] == []  # nothing was lost on its way
