"""A file that a spreadsheet opens holds the values, and nothing that it would run."""

import csv
import io
import re
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.domain.spreadsheet import csv_text, neutral

FORMULA = "=+-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212"
HIDDEN = ' "\n\u00a0\ufeff\u200b'
TEXTS = st.text(st.sampled_from([*FORMULA, *HIDDEN, *";,\t\r\0'ab\u00df\u0e50"]), max_size=12)
CELLS = st.one_of(TEXTS, st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.none())


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=5))
@settings(max_examples=200)
def test_a_parsed_file_gives_back_the_values(rows: list[list[Any]]) -> None:
    parsed = read(csv_text(rows))

    assert len(parsed) == len(rows)
    for cells, row in zip(parsed, rows, strict=True):
        for cell, value in zip(cells, row, strict=True):
            if isinstance(value, str):
                assert cell.replace("'", "") == value.replace("'", "")
            elif value is None:
                assert cell == ""
            else:
                assert type(value)(cell) == value


@given(TEXTS)
@settings(max_examples=300)
def test_no_text_begins_like_a_formula_however_it_is_cut(text: str) -> None:
    """Also where the spreadsheet's separator is `;` and it takes no notice of our quotes."""
    (line,) = read(csv_text([[text]]) or '""')

    assert line[0][:1] not in {*FORMULA, "\t", "\r", "\n"}
    for part in re.split("[;\t\r\n]", line[0]):
        assert part.lstrip(HIDDEN)[:1] not in {*FORMULA}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("  @SUM(A1)", "'  @SUM(A1)"),
        ("\uff1d1", "'\uff1d1"),
        ("\tx", "'\tx"),
        ("\nx", "'\nx"),
        ("\u00a0=1", "'\u00a0=1"),
        ('good;"=1', "good;'\"=1"),
        ("bad:\n- late", "bad:\n'- late"),
        ("a-b = c", "a-b = c"),
        ("it's", "it's"),
    ],
)
def test_a_text_that_begins_like_a_formula_gets_an_apostrophe(value: str, shown: str) -> None:
    assert neutral(value) == shown


def test_numbers_stay_numbers_and_lines_end_as_the_standard_wants() -> None:
    row = [-12.5, -3, True, None, ["late", "-rude"], datetime(2026, 11, 1, tzinfo=UTC), 'a "b"']

    assert csv_text([row]) == (
        '-12.5,-3,"true","","late;\'-rude","2026-11-01T00:00:00.000000Z","a ""b"""\r\n'
    )


def test_a_long_text_of_line_ends_is_read_once() -> None:
    started = time.perf_counter()
    neutral("a" + "\n" * 100_000 + " " * 100_000 + "x=")

    assert time.perf_counter() - started < 1
