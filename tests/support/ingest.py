"""Ingest on a producer that remembers, with tokens signed by a key of the tests."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec

from services.ingest.api import HotPath
from services.ingest.app import build_ingest
from services.ingest.handlers.ports import Outside
from services.ingest.settings import IngestSettings
from shared.events import SurveyResponse, Topic
from shared.programme.loading import load_programme
from shared.stream.records import KafkaUnavailable, Outgoing
from shared.tokens import Tokens
from shared.traces import UNTRACED, Traces
from shared.web import Parts

KEY = "a-key-of-the-tests-long-enough"
INVITATION = "i-abcdefghijklmnopqrstuvwxyz"
PROGRAMME = load_programme(Path(__file__).resolve().parents[2] / "programme")
TOKENS = Tokens([KEY])


@dataclass
class FakeProducer:
    """Remembers what was acknowledged; `away` refuses as Kafka does when it is not there."""

    sent: list[Outgoing] = field(default_factory=list)
    calls: int = 0
    away: bool = False

    async def send(self, records: Sequence[Outgoing], *, together: bool = False) -> None:
        if not records:
            return
        self.calls += 1
        if self.away:
            raise KafkaUnavailable("the tests say so")
        self.sent += records

    def on(self, topic: Topic) -> list[dict[str, Any]]:
        return [msgspec.json.decode(r.value or b"") for r in self.sent if r.topic == topic]

    def answers(self) -> list[SurveyResponse]:
        values = [r.value or b"" for r in self.sent if r.topic == Topic.SURVEY_RESPONSES]
        return [msgspec.json.decode(value, type=SurveyResponse) for value in values]


@dataclass
class FakeOptOuts:
    """Trigger's opt-outs; `away` is a trigger that does not answer."""

    recorded: list[str] = field(default_factory=list)
    away: bool = False

    async def record(self, invitation_id: str) -> bool:
        if not self.away:
            self.recorded.append(invitation_id)
        return not self.away


@dataclass
class Rig:
    """One ingest, its web application not yet served."""

    producer: Any = field(default_factory=FakeProducer)
    optouts: FakeOptOuts = field(default_factory=FakeOptOuts)
    settings: dict[str, Any] = field(default_factory=dict)
    traces: Traces = UNTRACED

    def web(self) -> HotPath:
        async def fine() -> None:
            return None

        settings = IngestSettings(kafka_bootstrap="127.0.0.1:1", token_keys=KEY, **self.settings)
        parts = Parts({"topics": fine})
        outside = Outside(self.producer, self.optouts, traces=self.traces)
        return build_ingest(settings, PROGRAMME, outside, parts)[0]

    def client(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self.web())
        return httpx.AsyncClient(transport=transport, base_url="http://ingest")


def survey_token(
    survey: str = "post-call", language: str = "en", expires_in: timedelta = timedelta(hours=1)
) -> str:
    return TOKENS.survey(INVITATION, survey, language, datetime.now(UTC) + expires_in)


def unsubscribe_token(language: str = "en") -> str:
    return TOKENS.unsubscribe(INVITATION, "post-call", language)
