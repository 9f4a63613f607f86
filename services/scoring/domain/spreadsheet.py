"""Rows as RFC 4180 text that a spreadsheet may open: no text in it is ever run as a formula."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from shared.wire import encode_text


class Kind(StrEnum):
    """What a column holds; any cell may be None."""

    TEXT = "text"
    TEXTS = "texts"
    WHOLE = "whole"
    NUMBER = "number"
    FLAG = "flag"
    MOMENT = "moment"


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    kind: Kind = Kind.TEXT


Cells = Sequence[Any]  # one row: a value a column

# What may begin a formula (OWASP, CSV Injection), with the full-width and small forms that a
# spreadsheet takes for the same; it may hide behind spaces and quotes, and behind whatever
# another locale takes for a separator.
_SIGNS: Final = "=+\\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212"
_SUSPECT: Final = re.compile(f"[{_SIGNS}\t\r\n]")
# no separator is among these: what stands behind one is looked at once
_HIDES: Final = r'(?:[^\S\t\r\n]|["\ufeff\u200b-\u200f\u2060])*'
_BEGINS: Final = re.compile(f"^(?=[\t\r\n])|(^|[;\t\r\n])(?={_HIDES}[{_SIGNS}])")


def neutral(text: str) -> str:
    """The text with an apostrophe wherever a spreadsheet would begin to read a formula."""
    return text if _SUSPECT.search(text) is None else _BEGINS.sub(r"\1'", text)


def csv_text(rows: Iterable[Cells]) -> str:
    """Lines that end in CR LF. Text is quoted and neutral, lists are joined with `;`.

    Times are RFC 3339 in UTC; numbers stay numbers, negative ones too; None is an empty text.
    """
    written = io.StringIO(newline="")
    # Quoted text holds together also where `;` separates.
    lines = csv.writer(written, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    lines.writerows([_plain(value) for value in row] for row in rows)
    return written.getvalue()


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return neutral(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return encode_text(value)
    if isinstance(value, (list, tuple)):
        return neutral(";".join(value))
    return value
