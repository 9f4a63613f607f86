"""Loading a programme: faults name file, line, key and what is accepted."""

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from shared.programme.faults import ProgrammeError
from shared.programme.loading import load_programme

SHIPPED = Path(__file__).parents[2] / "programme"
CASES = yaml.safe_load(Path(__file__).with_name("programme_faults.yaml").read_text())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "programme"))


def change(folder: Path, file: str, old: str, new: str) -> int:
    """Write `new` in the place of `old`; the line on which it stood."""
    text = (folder / file).read_text()
    before, found, after = text.partition(old)
    assert found, f"{old!r} does not stand in {file}"
    (folder / file).write_text(before + new + after)
    return before.count("\n") + 1


def faults(folder: Path) -> list[str]:
    with pytest.raises(ProgrammeError) as caught:
        load_programme(folder)
    assert str(caught.value).splitlines() == [str(fault) for fault in caught.value.faults]
    return [str(fault).removeprefix(f"{folder}/") for fault in caught.value.faults]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['key']}: {case['new']}")
def test_a_fault_names_file_line_key_and_what_is_accepted(
    folder: Path, case: dict[str, str]
) -> None:
    line = change(folder, f"{case['file']}.yaml", case["old"], case["new"])

    found = next(fault for fault in faults(folder) if f": {case['key']}: " in fault)

    assert found.startswith(f"{case['file']}.yaml:{line}: {case['key']}: ")
    said, _, accepted = found.partition("; accepted: ")
    assert case["fault"] in said
    assert case["accepted"] in accepted


def test_all_faults_are_told_at_once(folder: Path) -> None:
    change(folder, "triggers.yaml", "talk_s", "talks")
    change(folder, "triggers.yaml", "survey: effort", "survey: efort")
    change(folder, "surveys.yaml", "csat", "cast")
    change(folder, "segments.yaml", "queue, agent", "queue, agnt")
    change(folder, "alerts.yaml", "smallest_rise", "smalest_rise")
    (folder / "programme.yaml").unlink()

    found = faults(folder)

    files = [fault.partition(".yaml")[0] for fault in found]
    assert files == ["alerts", "programme", "segments", "surveys", "triggers", "triggers"]
    assert found[1] == "programme.yaml: is missing; accepted: a file that can be read"


def test_a_rule_of_several_lines_names_the_line_in_the_file(folder: Path) -> None:
    rule = "|\n    event.call.talk_s >= 30 &&\n    event.call.tlak_s < 9"
    line = change(folder, "triggers.yaml", "event.call.talk_s >= 30", rule)

    assert faults(folder)[0].startswith(
        f"triggers.yaml:{line + 2}: after-call.when: line 2, column 1"
    )


def test_a_key_that_stands_twice_is_a_fault(folder: Path) -> None:
    line = change(folder, "triggers.yaml", "  sample: 1.0\n", "  sample: 1.0\n  sample: 0.5\n")

    found = f"triggers.yaml:{line + 1}: after-call.sample: stands twice, first in line {line}"
    assert faults(folder)[0].startswith(found)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"a: 1\nb: [1]]", "triggers.yaml:2: is not YAML"),
        (b"a: 1\nb: \xff", "triggers.yaml:2: is not UTF-8"),
        (b"[1, 2]", "triggers.yaml:1: does not hold names"),
        (b"text", "triggers.yaml:1: does not hold names"),
        (b"a: &a {b: *a}", "triggers.yaml:1: a.b: repeats itself"),
        (b"? [1]\n: 2", "triggers.yaml:1: has a key that is not a text"),
        (b"after call: {}", "triggers.yaml:1: after call: 'after call' is not a name"),
        (b"x" * 1_100_000, "triggers.yaml: has 1100000 bytes"),
    ],
)
def test_what_is_no_yaml_mapping_is_refused(folder: Path, content: bytes, found: str) -> None:
    (folder / "triggers.yaml").write_bytes(content)

    assert any(fault.startswith(found) for fault in faults(folder))


def test_a_flood_of_aliases_is_refused(folder: Path) -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (folder / "triggers.yaml").write_text("\n".join(rows))

    assert any("repeats itself" in fault for fault in faults(folder))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProgrammeError, match=r"nowhere: is not a folder; accepted: programme.yaml"):
        load_programme(tmp_path / "nowhere")


def test_too_many_dimensions_are_refused(folder: Path) -> None:
    rows = "\n".join(f"  d{n}: {{}}" for n in range(9))
    (folder / "segments.yaml").write_text(f"dimensions:\n{rows}\n")

    assert faults(folder)[0].endswith("accepted: at most 8 entries")


def test_the_digest_follows_what_is_meant_not_how_it_is_written(folder: Path) -> None:
    digest = load_programme(folder).digest

    change(folder, "alerts.yaml", "# When", "# Whenever")
    assert load_programme(folder).digest == digest
    change(folder, "alerts.yaml", "smallest_rise: 5", "smallest_rise: 6")
    assert load_programme(folder).digest != digest


def test_an_age_is_measured_against_the_time_events_are_told_apart(folder: Path) -> None:
    with pytest.raises(ProgrammeError, match=r"6h is not shorter than EARSHOT_DEDUPE"):
        load_programme(folder, dedupe=timedelta(hours=6))


@pytest.mark.parametrize(
    ("file", "write"),
    [
        ("programme.yaml", lambda text: text.replace("[en, de, ko, th]", "[en, de]")),
        ("segments.yaml", lambda _: "dimensions: {state: , category: {from: order.category}}"),
        ("triggers.yaml", lambda _: ""),
        ("alerts.yaml", lambda _: "# all defaults"),
    ],
)
def test_a_file_can_be_replaced_alone(folder: Path, file: str, write: Callable[[str], str]) -> None:
    (folder / file).write_text(write((folder / file).read_text()))

    load_programme(folder)
