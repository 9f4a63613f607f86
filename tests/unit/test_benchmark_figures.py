"""What a benchmark found: as a terminal, a page and a file have it."""

import json
from pathlib import Path

import pytest

from benchmarks.figures import Aim, Cell, Figures, Table, parser, shown, written_into

RATES = Table(
    "rates", "Answers a second", ["contender", "answers/s", "times"],
    [["a bare echo", 12_345, 1.0], ["ingest", 9_876.54, 0.8], ["gone", None, 12.34]],
)  # fmt: skip
PLACES = """# Performance
<!-- ingest: rates -->
what an older run found
<!-- /ingest: rates -->
between
<!-- ingest: aims -->
<!-- /ingest: aims -->
after
"""


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, ""),
        ("not measured", "not measured"),
        (0, "0"),
        (7, "7"),
        (1_234_567, "1,234,567"),
        (1_234.5, "1,234"),
        (-1_234.6, "-1,235"),
        (100.4, "100"),
        (99.94, "99.9"),
        (10.0, "10.0"),
        (-10.25, "-10.2"),
        (9.876, "9.88"),
        (0.5, "0.50"),
        (-0.5, "-0.50"),
    ],
)
def test_a_cell_has_the_digits_that_count(cell: Cell, text: str) -> None:
    assert shown(cell) == text


def test_a_terminal_has_names_to_the_left_and_numbers_to_the_right() -> None:
    assert RATES.text().splitlines() == [
        "contender    answers/s  times",
        "a bare echo     12,345   1.00",
        "ingest           9,877   0.80",
        "gone                     12.3",
    ]


def test_a_page_has_the_same_cells() -> None:
    assert RATES.markdown().splitlines() == [
        "| contender | answers/s | times |",
        "| --- | ---: | ---: |",
        "| a bare echo | 12,345 | 1.00 |",
        "| ingest | 9,877 | 0.80 |",
        "| gone |  | 12.3 |",
    ]


def test_a_row_without_a_cell_is_told_at_once() -> None:
    with pytest.raises(ValueError, match="zip"):
        Table("rates", "", ["contender", "answers/s"], [["echo"]]).text()


@pytest.mark.parametrize(
    ("ratio", "line"),
    [
        (0.8, "beside an echo: 0.80 (aim 0.8, met)"),
        (0.79, "beside an echo: 0.79 (aim 0.8, MISSED)"),
    ],
)
def test_an_aim_is_met_from_its_least_on(ratio: float, line: str) -> None:
    assert Aim("beside an echo", ratio, 0.8).line() == line


def found() -> Figures:
    figures = Figures("ingest")
    figures.add(RATES)
    figures.aim("beside an echo", 0.5, 0.8)
    figures.note("one process")
    return figures


def test_what_is_found_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    found()

    told = capsys.readouterr().out
    assert told.startswith(f"Answers a second\n{RATES.text()}\n\n")
    assert told.endswith("beside an echo: 0.50 (aim 0.8, MISSED)\none process\n")


def test_a_file_keeps_it_all_and_what_it_was_measured_on(tmp_path: Path) -> None:
    path = tmp_path / "bench" / "ingest.json"
    found().write(path)

    told = json.loads(path.read_text())
    assert Table(**told["tables"][0]).markdown() == RATES.markdown()
    assert told["aims"] == [{"name": "beside an echo", "ratio": 0.5, "least": 0.8}]
    assert (told["program"], told["notes"], told["seconds"]) == ("ingest", ["one process"], 0)
    assert told["began"].endswith("+00:00")
    assert told["machine"].keys() == {"cores", "memory_gib", "system", "python"}


def test_without_a_file_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found().write(parser("what it measures").parse_args([]).json)

    assert list(tmp_path.iterdir()) == []


def test_a_page_gets_every_table_in_its_place_and_keeps_the_rest(tmp_path: Path) -> None:
    page, file = tmp_path / "performance.md", tmp_path / "ingest.json"
    page.write_text(PLACES)
    found().write(file)

    assert written_into(page, [file]) == []
    once = page.read_text()
    assert once == PLACES.replace("what an older run found", RATES.markdown()).replace(
        "<!-- ingest: aims -->\n",
        "<!-- ingest: aims -->\n* beside an echo: 0.50 (aim 0.8, MISSED)\n",
    )
    assert written_into(page, [file]) == []
    assert page.read_text() == once


def test_what_a_page_has_no_place_for_is_named(tmp_path: Path) -> None:
    page, file = tmp_path / "performance.md", tmp_path / "ingest.json"
    page.write_text("<!-- ingest: aims -->\n")
    found().write(file)

    assert written_into(page, [file]) == ["ingest: rates", "ingest: aims"]
    assert page.read_text() == "<!-- ingest: aims -->\n"
