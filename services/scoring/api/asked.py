"""What is asked, read whole: the question, its window, its page, and whom groups are beside."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

import asyncpg
from fastapi import Query

from services.scoring.api.paging import Asked, Paged
from services.scoring.api.parameters import Cut, Span, read_by, read_value
from services.scoring.api.reading import Reading
from services.scoring.domain.questions import Question
from services.scoring.store.surveys import counted_surveys
from shared.errors import FieldFault, Invalid, unknown_name
from shared.web import decode_cursor
from shared.web.pages import moment_in, not_ours

Rest = Literal["rest"]
REST: Final[Rest] = "rest"
Opposite = dict[str, str] | Rest


def read_asked(metric: str, span: Span, cut: Cut, paged: Paged, reading: Reading) -> Asked:
    """The question that the parameters ask. Raises Invalid, also for another question's cursor."""
    after, mark = None, None
    now = span.as_of or reading.now()
    if paged.cursor is not None:
        at, n, values, mark = decode_cursor(paged.cursor, 4)
        if not isinstance(n, int) or not isinstance(values, list):
            raise not_ours(paged.cursor)
        now = span.as_of or moment_in(paged.cursor, at)
        after = (n, [str(value) for value in values])
    window = span.read(now)
    where = cut.read_where(reading)
    by = read_by(paged.by, where, reading)
    question = Question(metric, cut.survey, by, where, on_event=span.time == "event")
    asked = Asked(question, window, now, after)
    if paged.cursor is not None and mark != asked.mark:
        raise not_ours(paged.cursor)
    return asked


async def check_survey(
    connection: asyncpg.Connection, survey: str | None, reading: Reading
) -> None:
    """Raise Invalid that lists the surveys, for one that nobody plans and nobody answered."""
    if survey is None or survey in reading.surveys:
        return
    known = {*reading.surveys, *await counted_surveys(connection)}
    if survey not in known:
        fault = unknown_name("survey", survey, known)
        listed = ", ".join(sorted(known)[:50]) or "none is known"
        accepted = f"{fault.accepted} (surveys: {listed})"
        raise Invalid.of([FieldFault("survey", "unknown-survey", survey, accepted)])


@dataclass
class Beside:
    """Whom each group is compared with."""

    against: Annotated[
        list[str] | None,
        Query(
            max_length=2,
            description="`rest`, or another group: dimension:value for each dimension of by",
        ),
    ] = None

    def read(self, by: tuple[str, ...], reading: Reading) -> Opposite | None:
        """The other group. Raises Invalid that lists what may be named."""
        if self.against is None:
            return None
        if not by:
            accepted = f"only beside by (dimensions: {', '.join(sorted(reading.dimensions))})"
            raise _fault(", ".join(self.against), accepted)
        if self.against == [REST]:
            return REST
        wanted = f"rest, or one value each of {', '.join(by)}, such as {by[0]}:value"
        found: dict[str, str] = {}
        for text in self.against:
            name, value = read_value("against", text, reading)
            if name not in by:
                raise _fault(text, f"{wanted}: other dimensions overlap with the groups")
            if name in found:
                raise _fault(text, wanted)
            found[name] = value
        if len(found) < len(by):
            raise _fault(", ".join(self.against), wanted)
        return {name: found[name] for name in by}


def _fault(value: str, accepted: str) -> Invalid:
    return Invalid.of([FieldFault("against", "out-of-range", value, accepted)])
