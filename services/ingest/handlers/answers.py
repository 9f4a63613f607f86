"""On a submission: read it, publish it, answer once every in-sync replica has it."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from functools import cache
from typing import Final

from opentelemetry.trace import Span, SpanKind

from services.ingest.domain.catalogue import Catalogue
from services.ingest.domain.plain import read_plain
from services.ingest.domain.submissions import (
    Receipt,
    Ticket,
    answer_by_id,
    answer_by_ticket,
    token_in,
)
from services.ingest.handlers.outbox import Outbox
from services.ingest.handlers.ports import Clock, Producer, TokenReader
from services.ingest.metrics import ANSWERS, REFUSED
from shared.errors import EarshotError, Gone, Unavailable
from shared.events import SurveyResponse, Topic
from shared.failpoints import Point, hit
from shared.metrics import Counter
from shared.stream.records import KafkaUnavailable, Outgoing
from shared.traces import TRACEPARENT, UNTRACED, Traces, current_traceparent, traceparent_of
from shared.wire import encode

RETRY_AFTER_S: Final = 5
API: Final = "api"
WEB: Final = "web"
_PUBLISHING: Final = f"{Topic.SURVEY_RESPONSES} publish"


class Intake:
    """Takes submissions in. Every refusal is an EarshotError that says what is accepted."""

    def __init__(
        self,
        producer: Producer,
        tokens: TokenReader,
        catalogue: Catalogue,
        clock: Clock,
        traces: Traces = UNTRACED,
    ) -> None:
        self._outbox = Outbox(producer)
        self._past = Outbox(producer, spread=True)
        self._tokens = tokens
        self._catalogue = catalogue
        self._clock = clock
        self._traces = traces

    def ticket(self, token: str) -> Ticket:
        """What the token stands for. Raises NotFound if forged, Gone if expired or not asked."""
        read = self._tokens.read_survey(token)
        if read.expires_at <= self._clock():
            raise Gone("the survey's time is over")
        asked = self._catalogue.get(read.survey)
        if asked is None:
            raise Gone("the survey is no longer asked")
        return Ticket(read.invitation_id, asked, read.language, read.trace)

    def read(self, body: object, channel: str = API) -> SurveyResponse:
        """The record of one submission. Raises Invalid, NotFound or Gone."""
        try:
            token = token_in(body)
            receipt = Receipt(self._clock(), channel)
            if token is None or not isinstance(body, Mapping):
                return answer_by_id(body, self._catalogue, receipt)
            return answer_by_ticket(body, self.ticket(token), receipt)
        except EarshotError as error:
            REFUSED.labels(str(error.status)).inc()
            raise

    def read_plain(self, body: bytes) -> SurveyResponse | None:
        """The record of an ordinary submission without a token; None asks for `read`."""
        return read_plain(body, self._catalogue, Receipt(self._clock(), API))

    def trace_of(self, body: object) -> str | None:
        """The trace that a submission's link belongs to, where traces are kept at all."""
        if self._traces.tracer is None:
            return None
        token = token_in(body)
        return None if token is None else self.ticket(token).trace

    def publish(self, response: SurveyResponse, trace: str | None = None) -> Awaitable[None]:
        """Resolves once every in-sync replica has the record. Raises KafkaUnavailable."""
        hit(Point.RECEIVED)
        return self._outbox.put(record_of(response, trace))

    async def publish_all(self, responses: Sequence[SurveyResponse]) -> None:
        """As `publish`, for all of them, which may be of any time. Raises Unavailable."""
        hit(Point.RECEIVED)
        if not responses:
            return
        try:
            trace = current_traceparent()
            await self._past.put(*(record_of(response, trace) for response in responses))
        except KafkaUnavailable as error:
            raise away(error) from error
        for response in responses:
            count(response)

    async def accept(self, response: SurveyResponse, trace: str | None = None) -> None:
        """As `publish`, in the trace of its link or else of its request. Raises Unavailable."""
        span = self._span(trace)
        try:
            await self.publish(response, None if span is None else traceparent_of(span))
        except KafkaUnavailable as error:
            raise away(error) from error
        finally:
            if span is not None:
                span.end()
        count(response)

    async def close(self) -> None:
        await asyncio.gather(self._outbox.close(), self._past.close())

    def _span(self, trace: str | None) -> Span | None:
        if self._traces.tracer is None:
            return None
        followed = trace or current_traceparent()
        if followed is None:
            return None
        return self._traces.begin(_PUBLISHING, followed, kind=SpanKind.PRODUCER)


def record_of(response: SurveyResponse, trace: str | None = None) -> Outgoing:
    headers = () if trace is None else ((TRACEPARENT, trace.encode()),)
    return Outgoing(Topic.SURVEY_RESPONSES, response.id.encode(), encode(response), headers)


def count(response: SurveyResponse) -> None:
    _series(response.metric, response.invitation_id is not None).inc()


@cache
def _series(metric: str, invited: bool) -> Counter:  # noqa: FBT001 - a label, found once
    return ANSWERS.labels(metric, "yes" if invited else "no")


def away(error: KafkaUnavailable) -> Unavailable:
    """What a caller hears when Kafka did not take the record."""
    REFUSED.labels("503").inc()
    return Unavailable(f"not taken: {error}; send it again", retry_after_s=RETRY_AFTER_S)
