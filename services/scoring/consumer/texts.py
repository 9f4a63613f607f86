"""Texts and times of records: without control characters, bounded, cleaned for segments."""

import json
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from shared.errors import Reason, Refused
from shared.events import SurveyInvitation, SurveyResponse
from shared.segments import clean_value
from shared.stream.records import Record

_LONGEST_NAME: Final = 200
_LONGEST_TEXT: Final = 20_000
_MOST_REASONS: Final = 50
_MOST_SEGMENTS: Final = 100
_KEPT: Final = 65_536  # texts
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

clean_text = lru_cache(maxsize=_KEPT)(clean_value)
_known_clean: set[str] = set()


def clean_segments(brought: dict[str, str]) -> dict[str, str]:
    """The segments whose name and value are not empty, cleaned.

    Most come clean, and of texts met before: that is seen in 0.3 us where cleaning takes 1.4.
    """
    if _known_clean.issuperset(brought) and _known_clean.issuperset(brought.values()):
        return brought
    cleaned = {
        key: value
        for name, text in brought.items()
        if (key := clean_text(name)) and (value := clean_text(text))
    }
    if len(_known_clean) > _KEPT:
        _known_clean.clear()
    if cleaned == brought:
        _known_clean.update(cleaned, cleaned.values())
    return cleaned


def check_sizes(record: SurveyResponse | SurveyInvitation) -> None:
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if isinstance(value, str) and len(value) > _LONGEST_NAME:
            raise Refused(Reason.TOO_LARGE, f"{name} is over {_LONGEST_NAME} characters", name)
    if len(record.segments) > _MOST_SEGMENTS:
        detail = f"segments has over {_MOST_SEGMENTS} entries"
        raise Refused(Reason.TOO_LARGE, detail, "segments")
    if isinstance(record, SurveyResponse):
        _check_answers(record)


def _check_answers(record: SurveyResponse) -> None:
    if len(record.answers.comment or "") > _LONGEST_TEXT:
        detail = f"answers.comment is over {_LONGEST_TEXT} characters"
        raise Refused(Reason.TOO_LARGE, detail, "answers.comment")
    reasons = record.answers.reasons
    if len(reasons) > _MOST_REASONS or any(len(reason) > _LONGEST_NAME for reason in reasons):
        detail = f"answers.reasons: at most {_MOST_REASONS}, of {_LONGEST_NAME} characters each"
        raise Refused(Reason.TOO_LARGE, detail, "answers.reasons")


def text_of(record: Record) -> bytes | None:
    r"""Return the value; without control characters, where an escape such as \u0000 has one."""
    value = record.value
    if value is None or b"\\u00" not in value:
        return value
    try:
        return json.dumps(_printable(json.loads(value))).encode()
    except ValueError:
        return value  # the decoder says what is wrong


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return "".join(letter for letter in value if letter >= " " or letter in "\t\n")
    if isinstance(value, list):
        return [_printable(item) for item in value]
    if isinstance(value, dict):
        return {_printable(key): _printable(item) for key, item in value.items()}
    return value


def check_moment(field: str, moment: datetime) -> datetime:
    """The moment in UTC. Raises Refused without an offset, and outside 1970 to 2199."""
    if moment.tzinfo is None:
        raise Refused(Reason.WRONG_TYPE, f"{field} has no offset from UTC", field)
    if not _FIRST <= moment < _LAST:
        raise Refused(Reason.OUT_OF_RANGE, f"{field} is not from 1970 to 2199", field)
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
