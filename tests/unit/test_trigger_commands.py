"""`python -m services.trigger VERB`: exit codes, and what stands where."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from services.trigger.commands import VERBS, main
from services.trigger.commands import plan as planning
from tests.support.folders import SHIPPED, change, copy_shipped


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARSHOT_PROGRAMME", str(SHIPPED))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copy_shipped(tmp_path)


def test_the_shipped_programme_passes_without_a_warning() -> None:
    assert main(["check", str(SHIPPED), "--strict"]) == 0
    assert main(["check", "--strict"]) == 0


def test_a_finding_names_file_line_key_what_and_why(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = change(folder, "triggers.yaml", "talk_s >= 30", "talk_s >= 30 && event.call.resolved")

    assert main(["check", str(folder)]) == 1

    said = capsys.readouterr()
    assert said.out == (
        f"{folder}/triggers.yaml:{line}: after-call.when: selects on event.call.resolved, the "
        "outcome that 'post-call' measures; only those whose matter was resolved would be asked, "
        "and the score would flatter or slander; ask without it [error selects-on-outcome]\n"
    )
    assert said.err == f"{folder}: 1 error\n"


def test_a_warning_fails_only_where_it_shall_and_a_rule_can_be_let_off(folder: Path) -> None:
    change(folder, "triggers.yaml", "sample: 1.0", "sample: 0")

    assert main(["check", str(folder)]) == 0
    assert main(["check", str(folder), "--strict"]) == 1
    assert main(["check", str(folder), "--strict", "--allow", "empty-sample"]) == 0


def test_findings_and_faults_are_there_for_machines(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = change(folder, "triggers.yaml", "[email, webhook]", "[webhook]")
    assert main(["check", str(folder), "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    change(folder, "triggers.yaml", "talk_s", "talks")
    assert main(["check", str(folder), "--format", "json"]) == 2
    broken = json.loads(capsys.readouterr().out)

    assert found["faults"] == []
    (finding,) = found["findings"]
    assert (finding["rule"], finding["line"]) == ("no-opt-out", line)
    assert broken["findings"] == []
    assert broken["faults"][0]["key"] == "after-call.when"


def test_what_cannot_be_loaded_is_told_with_all_its_faults(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(folder, "triggers.yaml", "talk_s", "talks")
    change(folder, "triggers.yaml", "survey: effort", "survey: efort")

    for arguments in (["check", str(folder)], ["plan", str(folder)]):
        assert main(arguments) == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 2
        assert (
            f"{folder}/triggers.yaml:5: after-call.when: line 1, column 1: there is no" in lines[0]
        )


def test_the_settings_that_a_programme_is_measured_by_are_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EARSHOT_TRIGGER_RETENTION", "20d")
    assert main(["check", str(SHIPPED)]) == 1
    assert (
        "caps.1.per: 30d is longer than EARSHOT_TRIGGER_RETENTION, 20d" in capsys.readouterr().out
    )
    monkeypatch.setenv("EARSHOT_TRIGGER_RETENTION", "20 days")
    assert main(["check", str(SHIPPED)]) == 2
    assert "EARSHOT_TRIGGER_RETENTION" in capsys.readouterr().err
    monkeypatch.setenv("EARSHOT_DEDUPE", "1d")
    assert main(["plan", str(SHIPPED)]) == 2


def test_a_plan_compares_with_todays(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(folder)]) == 0
    assert capsys.readouterr().out == "nothing changes\n"

    change(folder, "triggers.yaml", "sample: 1.0", "sample: 0.5\n  delay: 15m")
    assert main(["plan", str(folder)]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "~ trigger after-call: asks fewer customers; asks later"
    assert lines[1:3] == ["    sample: 1 -> 0.5", "    delay: not set -> 15m"]


def test_a_plan_for_machines_names_both_programmes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(folder, "triggers.yaml", "sample: 1.0", "sample: 0.5")
    numbers = [{"trigger": "after-call", "asked": -3}]

    code = planning.main([str(folder), "--format", "json"], lambda _today, _then: numbers)

    said = json.loads(capsys.readouterr().out)
    assert code == 0
    assert said["today"] != said["then"]
    assert said["changes"][0]["differences"] == [{"key": "sample", "old": "1", "new": "0.5"}]
    assert said["effect"] == numbers


def test_an_unknown_verb_hears_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chekc"]) == 2
    said = capsys.readouterr().err
    assert "no such verb: chekc" in said
    assert all(verb in said for verb in VERBS)
    assert main(["--help"]) == 0


@pytest.mark.thorough
def test_the_verbs_stand_behind_the_module() -> None:
    command = [sys.executable, "-m", "services.trigger", "check", str(SHIPPED), "--strict"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=SHIPPED.parent)

    assert (ended.returncode, ended.stdout) == (0, "")
    assert ended.stderr == f"{SHIPPED}: nothing to find fault with\n"
