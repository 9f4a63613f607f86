"""What a contender counted, beside what it should have."""

import json
from pathlib import Path

from benchmarks.scoring.answers import made_up
from benchmarks.scoring.contenders import PAIRS
from benchmarks.scoring.running import Life
from benchmarks.scoring.truth import Found, compared, true_cells

HOUR = "2026-11-21T10:00:00Z"


def test_every_answer_is_in_nineteen_cells() -> None:
    truth = true_cells(made_up(50, 3, 1))
    assert truth[f"||{HOUR}"][0] == 50
    assert sum(cell[0] for cell in truth.values()) == 50 * (1 + 8 + len(PAIRS))
    assert all(cell[0] == sum(cell[2:]) for cell in truth.values())


def test_lost_doubled_and_wrong_are_told_apart(tmp_path: Path) -> None:
    truth = {f"||{HOUR}": [10, 80, 1, 2, 7], f"d0|a|{HOUR}": [10, 80, 1, 2, 7]}
    file = tmp_path / "counts.json"
    file.write_text(json.dumps(truth))
    assert compared(truth, file) == Found(lost=0, doubled=0, wrong=0)
    file.write_text(json.dumps({f"||{HOUR}": [7, 50, 1, 2, 4], f"d0|a|{HOUR}": [10, 80, 1, 2, 7]}))
    assert compared(truth, file) == Found(lost=3, doubled=0, wrong=1)
    file.write_text(json.dumps({f"||{HOUR}": [12, 96, 1, 2, 9], f"d0|a|{HOUR}": [12, 96, 1, 2, 9]}))
    assert compared(truth, file) == Found(lost=0, doubled=2, wrong=2)


def test_what_is_lost_does_not_make_up_for_what_is_doubled(tmp_path: Path) -> None:
    truth = {f"||{HOUR}": [10, 80, 0, 0, 10], f"d0|a|{HOUR}": [6, 48, 0, 0, 6]}
    truth |= {f"d0|b|{HOUR}": [4, 32, 0, 0, 4]}
    file = tmp_path / "counts.json"
    counted = {f"d0|a|{HOUR}": [4, 32, 0, 0, 4], f"d0|b|{HOUR}": [6, 48, 0, 0, 6]}
    file.write_text(json.dumps(truth | counted))
    found = compared(truth, file)
    assert found == Found(lost=2, doubled=2, wrong=2)
    assert found.text() == "2 / 2, 2 cells wrong"
    file.write_text(json.dumps(truth | {f"||{HOUR}": [10, 70, 0, 1, 9]}))
    assert compared(truth, file).text() == "0 / 0, 1 cells wrong"
    file.write_text(json.dumps(truth))
    assert compared(truth, file).text() == "0 / 0"


def test_how_much_was_done_before_the_kill() -> None:
    lines = [{"done": 0, "at": 100.0}, {"done": 40, "at": 101.0}]
    assert Life((0, 0), lines).share(100, 5.0) == 0.4
    unknown = [{"done": 0, "at": 100.0}, {"done": -1, "at": 101.0}]
    assert Life((0, 0), unknown, [(102.0, 0.0, 0.0, 0.0)]).share(100, 5.0) == 0.4
