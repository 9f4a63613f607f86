"""What ingest needs from outside: a producer, tokens, a clock, a way to trigger."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.clock import utc_now
from shared.stream.records import Outgoing
from shared.tokens import SurveyToken, UnsubscribeToken
from shared.traces import UNTRACED, Traces

Clock = Callable[[], datetime]
"""The time now, aware, in UTC."""


class Producer(Protocol):
    """Kafka, as far as ingest writes to it."""

    async def send(self, records: Sequence[Outgoing], *, together: bool = False) -> None:
        """Return once every in-sync replica has all records; `together` in few batches.

        Raises KafkaUnavailable within a bounded time; some may then have been written.
        """


class TokenReader(Protocol):
    """Reads what trigger signed. Each call raises NotFound on a token that is not genuine."""

    def read_survey(self, token: str) -> SurveyToken: ...

    def read_unsubscribe(self, token: str) -> UnsubscribeToken: ...


class OptOuts(Protocol):
    """Trigger's opt-outs."""

    async def record(self, invitation_id: str) -> bool:
        """Whether trigger has acknowledged: then no send to that customer is under way."""


@dataclass(frozen=True)
class Outside:
    """Everything that ingest needs and does not make itself."""

    producer: Producer
    optouts: OptOuts
    clock: Clock = utc_now
    traces: Traces = UNTRACED
