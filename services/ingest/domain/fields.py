"""Reading one field of a submission: the value, or a fault added and None."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from shared.errors import FieldFault
from shared.segments import LONGEST_VALUE, clean_segments, clean_value

LONGEST_ID: Final = 200
LONGEST_COMMENT: Final = 10_000
MOST_REASONS: Final = 20
MOST_SEGMENTS: Final = 50
MOST_AHEAD: Final = timedelta(minutes=5)
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8}){0,4}")
_ID = f"a text of 1 to {LONGEST_ID} characters without control characters"
_TIME = "an RFC 3339 time with offset, such as 2026-11-21T11:02:03Z"

Faults = list[FieldFault]


def clean_text(text: str) -> str:
    """The text trimmed, line ends as newlines, without control characters but tab and newline."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("", text).strip()


def shown(value: object) -> str:
    """A value as an error repeats it: short, and never a whole document."""
    try:
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    except OverflowError:
        text = "a number of more than 64 bits"
    return _CONTROL.sub("", text[:100])


def wrong_type(field: str, value: object, accepted: str) -> FieldFault:
    return FieldFault(field, "wrong-type", shown(value), accepted)


def read_id(field: str, value: object, faults: Faults) -> str | None:
    """An opaque id, kept letter by letter."""
    if value is None:
        return None
    if not isinstance(value, str):
        faults.append(wrong_type(field, value, _ID))
    elif len(value) > LONGEST_ID:
        faults.append(FieldFault(field, "too-large", shown(value), _ID))
    elif not value.strip() or _CONTROL.search(value) or "\n" in value or "\t" in value:
        faults.append(FieldFault(field, "out-of-range", shown(value), _ID))
    else:
        return value
    return None


def read_word(field: str, value: object, faults: Faults) -> str | None:
    """A short text, cleaned as a segment's value is; empty is absent."""
    if value is None:
        return None
    if not isinstance(value, str):
        faults.append(wrong_type(field, value, "a text"))
        return None
    return clean_value(value)


def is_language(text: str) -> bool:
    """Whether the text has the form of a language tag."""
    return _LANGUAGE.fullmatch(text) is not None


def read_language(value: object, faults: Faults) -> str | None:
    if value is None:
        return None
    if isinstance(value, str) and is_language(value):
        return value
    accepted = "a language tag, such as de or de-AT"
    if isinstance(value, str):
        faults.append(FieldFault("language", "out-of-range", shown(value), accepted))
    else:
        faults.append(wrong_type("language", value, accepted))
    return None


def read_whole(field: str, value: object, accepted: str, faults: Faults) -> int | None:
    """A whole number; 9.0 is one, true is not."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if value is None:
        faults.append(FieldFault(field, "missing-field", None, accepted))
    else:
        faults.append(wrong_type(field, value, accepted))
    return None


def read_comment(field: str, value: object, faults: Faults) -> str | None:
    """The customer's own words, cleaned; empty is absent."""
    if value is None:
        return None
    accepted = f"a text of at most {LONGEST_COMMENT:,} characters"
    if not isinstance(value, str):
        faults.append(wrong_type(field, value, accepted))
        return None
    text = clean_text(value)
    if len(text) > LONGEST_COMMENT:
        faults.append(FieldFault(field, "too-large", f"{len(text):,} characters", accepted))
    return text or None


def read_reasons(field: str, value: object, faults: Faults) -> tuple[str, ...]:
    """Short names, each once, in the order they came."""
    if not value and (value is None or isinstance(value, list)):
        return ()
    accepted = f"at most {MOST_REASONS} texts of at most {LONGEST_VALUE} characters"
    if not isinstance(value, list):
        faults.append(wrong_type(field, value, accepted))
        return ()
    if len(value) > MOST_REASONS:
        faults.append(FieldFault(field, "too-large", f"{len(value)} reasons", accepted))
    reasons: dict[str, None] = {}
    for index, reason in enumerate(value[:MOST_REASONS]):
        if not isinstance(reason, str):
            faults.append(wrong_type(f"{field}[{index}]", reason, "a text"))
        elif len(reason) > LONGEST_VALUE:
            faults.append(FieldFault(f"{field}[{index}]", "too-large", shown(reason), accepted))
        elif name := clean_value(reason):
            reasons[name] = None
    return tuple(reasons)


def read_segments(value: object, faults: Faults) -> dict[str, str]:
    """Dimension and value, cleaned; empty is absent."""
    if value is None:
        return {}
    accepted = f"an object of at most {MOST_SEGMENTS} texts"
    if not isinstance(value, Mapping):
        faults.append(wrong_type("segments", value, accepted))
        return {}
    if len(value) > MOST_SEGMENTS:
        faults.append(FieldFault("segments", "too-large", f"{len(value)} keys", accepted))
        return {}
    for name, text in value.items():
        if len(name) > LONGEST_VALUE:
            limit = f"a key of at most {LONGEST_VALUE} characters"
            faults.append(FieldFault("segments", "too-large", shown(name), limit))
        _fault_of_value(f"segments.{shown(name)}", text, faults)
    return clean_segments(value)


def _fault_of_value(field: str, value: object, faults: Faults) -> None:
    accepted = f"a text of at most {LONGEST_VALUE} characters"
    if isinstance(value, str):
        if len(value) > LONGEST_VALUE and len(" ".join(value.split())) > LONGEST_VALUE:
            faults.append(FieldFault(field, "too-large", shown(value), accepted))
    elif value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        faults.append(wrong_type(field, value, accepted))


def read_time(field: str, value: object, now: datetime, faults: Faults) -> datetime | None:
    """A moment in UTC, from 1970 to five minutes from now; None is absent."""
    if value is None:
        return None
    if not isinstance(value, str):
        faults.append(wrong_type(field, value, _TIME))
        return None
    moment = _moment(value)
    if moment is None:
        faults.append(FieldFault(field, "wrong-type", shown(value), _TIME))
    elif not EARLIEST <= moment <= now + MOST_AHEAD:
        accepted = "a time from 1970 on, at most 5 minutes ahead"
        faults.append(FieldFault(field, "out-of-range", shown(value), accepted))
        return None
    return moment


def _moment(text: str) -> datetime | None:
    try:
        moment = msgspec.convert(text, datetime)
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (msgspec.ValidationError, OverflowError):
        return None
