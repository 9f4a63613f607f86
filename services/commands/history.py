"""Historical data: rows of CSV files as the bodies that the public interfaces take.

Columns of responses: response_id, customer_id, occurred_at, touchpoint, metric, scale_max, score,
comment, language, then attributes. Of events: event_id, type, occurred_at, customer_id, amount,
currency, then attributes. Times are RFC 3339.
"""

import csv
import gzip
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

Row = Mapping[str, str]
_LONGEST_COMMENT: Final = 5_000


class BadFile(Exception):
    """A file that cannot be played; the text names it and what is wrong."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that is not played, by its line in the file."""

    line: int
    why: str


@dataclass
class History:
    """What a file holds, in the order of time."""

    bodies: list[tuple[datetime, dict[str, Any]]] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def read_responses(path: Path, dimensions: Sequence[str]) -> History:
    """Read answers as bodies for `POST /v1/responses/batch`. Raises BadFile."""
    history = History()
    needed = {"response_id", "occurred_at", "metric", "score"}
    for line, row in _rows(path, needed | set(dimensions)):
        try:
            history.bodies.append((_moment(row), _response(row, dimensions)))
        except ValueError as error:
            history.skipped.append(Skipped(line, str(error)))
    history.bodies.sort(key=lambda body: body[0])
    return history


def read_events(path: Path, dimensions: Sequence[str]) -> History:
    """Read events as CloudEvents for `POST /v1/events`. Raises BadFile."""
    history = History()
    for line, row in _rows(path, {"event_id", "type", "occurred_at"}):
        try:
            body = _event(row, dimensions, source=f"/replay/{path.parent.name}")
            history.bodies.append((_moment(row), body))
        except ValueError as error:
            history.skipped.append(Skipped(line, str(error)))
    history.bodies.sort(key=lambda body: body[0])
    return history


def told(skipped: Sequence[Skipped]) -> Iterator[str]:
    """A line for each row, or run of rows, that is skipped for the same reason."""
    runs: list[list[Skipped]] = []
    for row in sorted(skipped, key=lambda row: row.line):
        if runs and runs[-1][-1].why == row.why and runs[-1][-1].line == row.line - 1:
            runs[-1].append(row)
        else:
            runs.append([row])
    for run in runs:
        first, last = run[0].line, run[-1].line
        lines = f"line {first}" if first == last else f"lines {first}-{last}"
        yield f"{lines}: skipped, {run[0].why}"


def _rows(path: Path, needed: set[str]) -> Iterator[tuple[int, Row]]:
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = sorted(needed - set(reader.fieldnames or ()))
            if missing:
                raise BadFile(f"{path}: no column {', '.join(missing)}")
            for row in reader:
                yield reader.line_num, {key: value or "" for key, value in row.items() if key}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadFile(f"{path}: {error}") from error


def _moment(row: Row) -> datetime:
    text = row["occurred_at"].strip()
    if not text:
        raise ValueError("occurred_at is empty")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"occurred_at: {text!r} is no RFC 3339 time") from None
    if moment.tzinfo is None:
        raise ValueError("occurred_at has no offset")
    return moment


def _number(row: Row, name: str) -> int:
    text = row.get(name, "").strip()
    if not text:
        raise ValueError(f"{name} is empty")
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{name}: {text[:20]!r} is no number") from None
    if not value.is_integer():
        raise ValueError(f"{name}: {text!r} is no whole number")
    return int(value)


def _response(row: Row, dimensions: Sequence[str]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": row["response_id"],
        "metric": row["metric"],
        "answered_at": row["occurred_at"],
        "segments": _segments(row, dimensions),
        "answers": {"score": _number(row, "score")},
    }
    if row["metric"] == "csat" and row.get("scale_max"):
        body["scale_max"] = _number(row, "scale_max")
    for name in ("customer_id", "touchpoint", "language"):
        if row.get(name):
            body[name] = row[name]
    if row.get("comment"):
        body["answers"]["comment"] = row["comment"][:_LONGEST_COMMENT]
    return body


def _event(row: Row, dimensions: Sequence[str], *, source: str) -> dict[str, Any]:
    data: dict[str, Any] = {"segments": _segments(row, dimensions)}
    if row.get("customer_id"):
        data["customer"] = {"id": row["customer_id"]}
    if row["type"].startswith("support_call."):
        data["call"] = _present(
            id=row["event_id"], agent=row.get("agent"), queue=row.get("topic"),
            talk_s=_float(row, "talk_seconds"), wait_s=_float(row, "speed_of_answer_seconds"),
        )  # fmt: skip
    else:
        data["transaction"] = _present(
            id=row.get("order_id") or row["event_id"],
            amount=_float(row, "amount"), currency=row.get("currency"),
        )  # fmt: skip
    return {
        "specversion": "1.0", "id": row["event_id"], "source": source,
        "type": row["type"], "time": row["occurred_at"], "data": data,
    }  # fmt: skip


def _segments(row: Row, dimensions: Sequence[str]) -> dict[str, str]:
    return {name: row[name] for name in dimensions if row.get(name)}


def _float(row: Row, name: str) -> float | None:
    try:
        return float(row.get(name) or "")
    except ValueError:
        return None


def _present(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value not in (None, "")}
