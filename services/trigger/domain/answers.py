"""Scored answers, as far as trigger believes them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import msgspec

from shared.errors import Reason, Refused
from shared.events import ScoredResponse
from shared.programme.metrics import Klass

_LONGEST_NAME: Final = 200
_HIGHEST: Final = 10
_KLASSES: Final = frozenset(Klass)
_FIRST, _LAST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def read_believed(answer: ScoredResponse, stored_at: datetime | None) -> ScoredResponse:
    """The answer, given no later than it was scored and stored, whatever clock was wrong.

    Raises Refused, which names the field, on what cannot be counted.
    """
    _check(answer)
    times = (answer.answered_at, answer.scored_at, stored_at or answer.scored_at)
    if min(times) == answer.answered_at:
        return answer
    return msgspec.structs.replace(answer, answered_at=min(times))


def _check(answer: ScoredResponse) -> None:
    if answer.klass not in _KLASSES:
        raise Refused(Reason.OUT_OF_RANGE, f"class is not one of {', '.join(Klass)}", "class")
    if not 0 <= answer.score <= _HIGHEST:
        raise Refused(Reason.OUT_OF_RANGE, f"score is not from 0 to {_HIGHEST}", "score")
    if not answer.id:
        raise Refused(Reason.OUT_OF_RANGE, "id is empty", "id")
    _check_names(answer)
    _check_times(answer)


def _check_names(answer: ScoredResponse) -> None:
    for field in ("id", "version", "survey", "invitation_id"):
        value = getattr(answer, field)
        if value is not None and len(value) > _LONGEST_NAME:
            raise Refused(Reason.TOO_LARGE, f"{field} is over {_LONGEST_NAME} characters", field)


def _check_times(answer: ScoredResponse) -> None:
    for field in ("answered_at", "scored_at"):
        moment = getattr(answer, field)
        if moment.tzinfo is None:
            raise Refused(Reason.WRONG_TYPE, f"{field} has no offset from UTC", field)
        if not _FIRST <= moment < _LAST:
            raise Refused(Reason.OUT_OF_RANGE, f"{field} is not from 1970 to 2199", field)


def newest(answers: Iterable[ScoredResponse]) -> list[ScoredResponse]:
    """The greatest version of each answer, sorted by id; any order of input ends alike."""
    found: dict[str, ScoredResponse] = {}
    for answer in answers:
        known = found.get(answer.id)
        if known is None or answer.version > known.version:
            found[answer.id] = answer
    return [found[key] for key in sorted(found)]
