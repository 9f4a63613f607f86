"""What happens on scored answers: they are kept and counted."""

from collections.abc import Sequence
from typing import Protocol

from services.trigger.domain.answers import newest
from shared.events import ScoredResponse


class AnswerBook(Protocol):
    """What this handler needs remembered. Every call shares the caller's transaction."""

    async def keep(self, answers: Sequence[ScoredResponse]) -> None:
        """Keep answers, one an id, sorted by it; the greatest version wins and is counted once."""
        ...


async def on_answers(answers: Sequence[ScoredResponse], book: AnswerBook) -> None:
    """Keep the newest of each answer; what belongs to no survey is passed over."""
    found = newest(answer for answer in answers if answer.survey)
    if found:
        await book.keep(found)
