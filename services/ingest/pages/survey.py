"""`/s/{token}`: the score first, then the follow-up; a GET records nothing.

The score is an answer of its own: it counts even if the follow-up is never sent. The follow-up
sends the score again with its reasons and comment, and so amends the answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.ingest.handlers.answers import WEB, Intake
from services.ingest.pages.forms import Sent, read_form, read_whole
from services.ingest.pages.memory import COOKIE, KEPT_S, Memory, read_memory, write_memory
from services.ingest.pages.views import Problem, Views
from shared.errors import Invalid, Unavailable
from shared.programme.models import Survey


@dataclass(frozen=True, slots=True)
class Visit:
    """One request to the pages of one survey, its token found genuine and in time."""

    token: str
    survey: Survey
    language: str
    path: str
    memory: Memory
    trace: str | None


class SurveyPages:
    """Shows a survey and takes its answer. Each call raises NotFound or Gone for its token."""

    def __init__(self, views: Views, intake: Intake) -> None:
        self._views = views
        self._intake = intake

    async def show(self, request: Request) -> Response:
        """The page, the score pre-chosen where the link or the browser says one."""
        visit = self._visit(request)
        memory = visit.memory
        linked = read_whole(request.query_params.get("score", ""))
        if linked in visit.survey.rules.points:
            memory = replace(memory, score=linked)
        return self._page(visit, memory, "survey.html")

    async def thanks(self, request: Request) -> Response:
        """The thanks, with the follow-up until that has been sent."""
        visit = self._visit(request)
        return self._page(visit, visit.memory, "thanks.html")

    async def take(self, request: Request) -> Response:
        """303 to the thanks once every in-sync replica has the answer; else the form again."""
        visit = self._visit(request)
        sent = await read_form(request, frozenset(visit.survey.reasons))
        memory = _remembered(visit.memory, sent)
        template = "thanks.html" if sent.follow_up else "survey.html"
        try:
            answer = self._intake.read(_submission(visit, memory), WEB)
            await self._intake.accept(answer, visit.trace)
        except Invalid as error:
            problems = self._faults(visit, error)
            return self._page(visit, replace(memory, done=False), template, problems, 422)
        except Unavailable as error:
            page = self._page(
                visit, replace(memory, done=False), template, [self._away(visit)], error.status
            )
            page.headers.update(error.headers())
            return page
        return self._moved(visit, memory)

    def _visit(self, request: Request) -> Visit:
        token = request.path_params["token"]
        ticket = self._intake.ticket(token)
        survey = self._views.programme.surveys[str(ticket.asked.survey)]
        path = f"{self._views.public_path}/s/{token}"
        memory = read_memory(request.cookies, survey.rules.points)
        return Visit(token, survey, ticket.language, path, memory, ticket.trace)

    def _page(
        self,
        visit: Visit,
        memory: Memory,
        template: str,
        problems: Sequence[Problem] = (),
        status: int = 200,
    ) -> Response:
        if memory.score not in visit.survey.rules.points:
            memory = replace(memory, score=None)
        page = self._views.survey(visit.survey, visit.language, visit.path, memory.score)
        html = self._views.survey_html(template, page, memory, problems)
        return self._views.page(html, status)

    def _moved(self, visit: Visit, memory: Memory) -> Response:
        moved = RedirectResponse(f"{visit.path}/thanks", 303, headers=self._views.headers())
        moved.set_cookie(
            COOKIE,
            write_memory(memory),
            max_age=KEPT_S,
            path=visit.path,
            secure=self._views.secure,
            httponly=True,
            samesite="lax",
        )
        return moved

    def _faults(self, visit: Visit, error: Invalid) -> list[Problem]:
        low, high = visit.survey.scale
        texts = self._views.words(visit.language, low=low, high=high)
        fields = {fault.field for fault in error.errors}
        problems = []
        if "answers.comment" in fields:
            problems.append(Problem(texts["comment_too_long"], href="#comment"))
        if not problems or "answers.score" in fields:
            problems.append(Problem(texts["choose_number"], href=f"#score-{low}"))
        return problems

    def _away(self, visit: Visit) -> Problem:
        texts = self._views.words(visit.language)
        return Problem(texts["unavailable_text"], title=texts["unavailable_title"])


def _remembered(kept: Memory, sent: Sent) -> Memory:
    if sent.follow_up:
        return Memory(sent.score, done=True, reasons=sent.reasons, comment=sent.comment)
    return Memory(sent.score, done=False, reasons=kept.reasons, comment=kept.comment)


def _submission(visit: Visit, memory: Memory) -> dict[str, object]:
    answers = {
        "score": memory.score,
        "reasons": [reason for reason in memory.reasons if reason in visit.survey.reasons],
        "comment": memory.comment,
    }
    return {"token": visit.token, "answers": answers}
