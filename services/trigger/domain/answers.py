"""Scored answers, as far as trigger believes them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from shared.errors import Reason, Refused
from shared.events import ScoredResponse
from shared.programme.metrics import Klass

_LONGEST_NAME: Final = 200
_HIGHEST: Final = 10
_FIRST, _LAST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def check_answer(answer: ScoredResponse) -> None:
    """Refuse what cannot be counted. Raises Refused, which names the field."""
    if answer.klass not in set(Klass):
        raise Refused(Reason.OUT_OF_RANGE, f"class is not one of {', '.join(Klass)}", "class")
    if not 0 <= answer.score <= _HIGHEST:
        raise Refused(Reason.OUT_OF_RANGE, f"score is not from 0 to {_HIGHEST}", "score")
    if not answer.id:
        raise Refused(Reason.OUT_OF_RANGE, "id is empty", "id")
    for field in ("id", "version", "survey", "invitation_id"):
        value = getattr(answer, field)
        if value is not None and len(value) > _LONGEST_NAME:
            raise Refused(Reason.TOO_LARGE, f"{field} is over {_LONGEST_NAME} characters", field)
    if answer.answered_at.tzinfo is None:
        raise Refused(Reason.WRONG_TYPE, "answered_at has no offset from UTC", "answered_at")
    if not _FIRST <= answer.answered_at < _LAST:
        raise Refused(Reason.OUT_OF_RANGE, "answered_at is not from 1970 to 2199", "answered_at")


def newest(answers: Iterable[ScoredResponse]) -> list[ScoredResponse]:
    """The greatest version of each answer, sorted by id; any order of input ends alike."""
    found: dict[str, ScoredResponse] = {}
    for answer in answers:
        known = found.get(answer.id)
        if known is None or answer.version > known.version:
            found[answer.id] = answer
    return [found[key] for key in sorted(found)]
