"""Which fact a decision would have needed that was not kept."""

from collections.abc import Collection
from enum import StrEnum

from services.trigger.domain.backtest.standins import reads_addresses
from services.trigger.domain.decisions import Decision
from services.trigger.domain.facts import Facts
from services.trigger.domain.keepable import is_kept
from services.trigger.domain.questions import Question
from services.trigger.domain.reasons import Reason
from shared.programme.models import Programme


class Missing(StrEnum):
    """A fact that was not kept, in words."""

    ADDRESS = "the customer's address, which the rule reads"
    MARGIN = "how sure the score was, which target_margin goes by"
    DIMENSION = "a part of the event, which a new dimension is read from,"


# The guards in front of the rule; and what is decided only once no margin has objected.
_BEFORE_RULE = frozenset({Reason.TOO_OLD, Reason.SETTLING})
_AFTER_MARGIN = frozenset(
    {Reason.ASKED, Reason.QUIET_HOURS, Reason.TOO_MANY_RECENTLY, Reason.TOO_MANY_FOR_GROUP}
)


class Unkept:
    """What a programme's triggers need beyond what is kept.

    `dimensions`: the paths of those that the programme had by which events were kept.
    """

    def __init__(self, programme: Programme, dimensions: Collection[str]) -> None:
        triggers = [*programme.triggers.values(), *programme.schedules.values()]
        self._by_address = {trigger.key for trigger in triggers if reads_addresses(trigger)}
        paths = programme.segments.paths
        new = {name for name, path in paths.items() if path and not is_kept(path, dimensions)}
        self._capped = bool(new & {name for cap in programme.caps for name in cap.dimensions})
        self._aimed = {trigger.key for trigger in triggers if trigger.target_by in new}

    def of(self, question: Question, facts: Facts, decision: Decision) -> Missing | None:
        """What was missing when a decision was made, if its reason could have been another."""
        trigger, reason = question.trigger, decision.reason
        if trigger.key in self._by_address and question.occasion.customer is not None:
            return None if reason in _BEFORE_RULE else Missing.ADDRESS
        if reason in _AFTER_MARGIN and (self._capped or trigger.key in self._aimed):
            return Missing.DIMENSION
        unsure = trigger.target_margin is not None and trigger.key not in facts.margins
        return Missing.MARGIN if unsure and reason in _AFTER_MARGIN else None
