"""Events, programmes and a courier for trigger's tests."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from services.trigger.domain.letters import Letter
from services.trigger.domain.occasions import read_occasion
from services.trigger.handlers import Arrival
from services.trigger.pages.links import Links
from services.trigger.pages.mail import Desk as MailDesk
from shared.events import Event
from shared.programme.asking import QuietHours
from shared.programme.loading import load_programme
from shared.programme.models import Programme
from shared.senders import HandOver, SendFailed
from shared.tokens import Tokens

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
NOON = QuietHours(time(12), time(14))  # by the clock in Berlin, where NOW is one o'clock
CHANNELS = frozenset({"email", "webhook"})
TOKENS = Tokens(["0123456789abcdef0123456789abcdef"])


@cache
def shipped() -> Programme:
    return load_programme(ROOT / "programme")


def programme(*, trigger: Mapping[str, Any] | None = None, **changes: Any) -> Programme:
    """The shipped programme; `trigger` changes after-call, the rest the programme itself."""
    base = shipped()
    fields = {name: getattr(base, name) for name in Programme.model_fields}
    if trigger:
        after_call = base.triggers["after-call"].model_copy(update=dict(trigger))
        fields["triggers"] = {**base.triggers, "after-call": after_call}
    return Programme(**{**fields, **changes})


def postponed() -> dict[str, Any]:
    """Changes of a programme by which a call at NOW is asked about an hour later."""
    return asking(quiet_hours=NOON)


def asking(**changes: Any) -> dict[str, Any]:
    """Changes of a programme by which its survey about calls is another."""
    surveys = shipped().surveys
    return {"surveys": {**surveys, "post-call": surveys["post-call"].model_copy(update=changes)}}


def call_ended(number: int = 1, *, at: datetime = NOW, **data: Any) -> Event:
    """A call that `after-call` asks about; keyword arguments change parts of its data."""
    contents: dict[str, Any] = {
        "customer": {
            "id": "c-1",
            "email": "ann@example.org",
            "locale": "de-DE",
            "consent": {"email": True},
        },
        "call": {"id": f"call-{number}", "queue": "billing", "agent": "a-7", "talk_s": 120},
        "touchpoint": "support-call",
        "segments": {"region": "EU", "product": "shoes"},
    }
    for name, part in data.items():
        both = isinstance(part, dict) and isinstance(contents.get(name), dict)
        contents[name] = {**contents[name], **part} if both else part
    return Event(
        id=f"evt-{number}", source="/calls", type="support_call.ended", time=at, data=contents
    )


def arrival(event: Event, traceparent: str | None = None) -> Arrival:
    return Arrival(read_occasion(event, shipped().segments.paths), traceparent)


def mail_desk(**changes: Any) -> MailDesk:
    links = Links("http://127.0.0.1:8001", TOKENS)
    return MailDesk(programme(**changes), links, "feedback@shop.example")


class Recorder:
    """A courier that keeps what it is given, and fails as it is told.

    One that is not repeatable hands over as SMTP does.
    """

    def __init__(self, *, repeatable: bool = True, capacity: int = 64) -> None:
        self.repeatable = repeatable
        self.capacity = capacity
        self.letters: list[Letter] = []
        self.faults: list[Exception] = []
        self.answer: asyncio.Event | None = None  # what a send waits for, once it is handed over
        self._handed_over = asyncio.Event()

    async def send(self, letter: Letter, hand_over: HandOver) -> None:
        if not self.repeatable:
            await hand_over()
        self._handed_over.set()
        if self.answer is not None:
            await self.answer.wait()
        self.letters.append(letter)
        if self.faults:
            raise self.faults.pop(0)

    async def until_handed_over(self) -> None:
        await asyncio.wait_for(self._handed_over.wait(), 5)

    @property
    def ids(self) -> list[str]:
        return [letter.id for letter in self.letters]


def later(**spans: float) -> datetime:
    return NOW + timedelta(**spans)


def refused(*, permanent: bool) -> SendFailed:
    return SendFailed("refused", permanent=permanent)
