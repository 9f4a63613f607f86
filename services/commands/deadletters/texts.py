"""Foreign text on a terminal: legible, and without anything that the terminal would obey."""

import json
from collections.abc import Sequence
from typing import Any


def plain(text: str) -> str:
    """The text with whatever is not printable escaped; line ends stay."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else _escaped(letter) for letter in text
    )


def one_line(text: str) -> str:
    return plain(text).replace("\n", "\\n")


def legible(content: bytes | None) -> str:
    """Bytes as text in quotes, or as Python writes them where they are no UTF-8."""
    if content is None:
        return "none"
    try:
        return f'"{one_line(content.decode())}"'
    except UnicodeDecodeError:
        return repr(content)


def pretty(value: bytes) -> tuple[str, str]:
    """What kind of value it is, and the value: JSON is laid out, where nothing is lost by it."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return "not UTF-8", repr(value)
    try:
        parsed = json.loads(text, object_pairs_hook=_no_name_twice)
        return "JSON", plain(json.dumps(parsed, indent=2, ensure_ascii=False))
    except (ValueError, RecursionError):
        return "text", plain(text)


def as_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they need to be, the last one as it comes."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    ]
    return "\n".join(lines)


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape", "surrogatepass").decode()
