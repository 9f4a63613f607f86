"""`/u/{token}`: a GET shows a button and changes nothing; the POST (RFC 8058 too) opts out."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from services.ingest.handlers.optouts import Outcome, opt_out
from services.ingest.handlers.ports import Clock, OptOuts, Producer, TokenReader
from services.ingest.pages.views import Views
from shared.errors import Unavailable

_SAID: Final = {
    Outcome.RECORDED: (200, "unsubscribed"),
    Outcome.QUEUED: (202, "unsubscribe_noted"),
}


class UnsubscribePages:
    """Takes a customer out of all surveys. Each call raises NotFound on a forged token."""

    def __init__(
        self,
        views: Views,
        tokens: TokenReader,
        optouts: OptOuts,
        producer: Producer,
        clock: Clock,
    ) -> None:
        self._views = views
        self._tokens = tokens
        self._optouts = optouts
        self._producer = producer
        self._clock = clock

    async def show(self, request: Request) -> Response:
        token = request.path_params["token"]
        language = self._tokens.read_unsubscribe(token).language
        return self._views.message(
            200,
            language,
            "unsubscribe",
            action=f"{self._views.public_path}/u/{token}",
            button="unsubscribe_button",
        )

    async def take(self, request: Request) -> Response:
        """200 once trigger has it, 202 while trigger is away; the body does not matter."""
        token = request.path_params["token"]
        read = self._tokens.read_unsubscribe(token)
        try:
            outcome = await opt_out(read.invitation_id, self._optouts, self._producer, self._clock)
        except Unavailable as error:
            page = self._views.message(
                error.status,
                read.language,
                "unsubscribe_failed",
                action=f"{self._views.public_path}/u/{token}",
                button="retry",
            )
            page.headers.update(error.headers())
            return page
        status, name = _SAID[outcome]
        return self._views.message(status, read.language, name)
