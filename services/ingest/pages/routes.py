"""The pages' routes. A customer who follows a bad link sees a page too, not a problem document."""

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.handlers.answers import Intake
from services.ingest.handlers.ports import Clock, OptOuts, Producer, TokenReader
from services.ingest.pages.survey import SurveyPages
from services.ingest.pages.unsubscribe import UnsubscribePages
from services.ingest.pages.views import Views
from shared.errors import Gone, NotFound
from shared.web.naming import Endpoint, add_plain


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the pages stand on."""

    views: Views
    intake: Intake
    tokens: TokenReader
    optouts: OptOuts
    producer: Producer
    clock: Clock


def build_pages(wiring: Wiring) -> APIRouter:
    """The customers' pages: plain routes, for trackers may hang any parameter on their links."""
    survey = SurveyPages(wiring.views, wiring.intake)
    unsubscribe = UnsubscribePages(
        wiring.views, wiring.tokens, wiring.optouts, wiring.producer, wiring.clock
    )
    router = APIRouter()
    for path, endpoint, method in (
        ("/s/{token}", survey.show, "GET"),
        ("/s/{token}", survey.take, "POST"),
        ("/s/{token}/thanks", survey.thanks, "GET"),
        ("/u/{token}", unsubscribe.show, "GET"),
        ("/u/{token}", unsubscribe.take, "POST"),
    ):
        add_plain(router, path, _as_page(endpoint, wiring), method)
    return router


def _as_page(endpoint: Endpoint, wiring: Wiring) -> Endpoint:
    async def page(request: Request) -> Response:
        try:
            return await endpoint(request)
        except NotFound:
            language = _preferred(request, wiring.views)
            return wiring.views.message(404, language, "not_found")
        except Gone:
            language = wiring.tokens.read_survey(request.path_params["token"]).language
            return wiring.views.message(410, language, "expired")

    return page


def _preferred(request: Request, views: Views) -> str:
    accepted = request.headers.get("accept-language", "").split(",")[:10]
    wanted = [tag.partition(";")[0].strip().lower() for tag in accepted]
    for tag in wanted:
        if tag.partition("-")[0] in views.programme.languages:
            return tag
    return ""
