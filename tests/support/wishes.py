"""Random events of people who may, or may not, be asked, and who says so independently of trigger.

The programme stands here twice: as the operator writes it, and as `RULES`, by which each message
that came out is judged against the event that it names.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final
from zoneinfo import ZoneInfo

import yaml

from tests.support.load import write_programme

ZONES: Final = ("Europe/Berlin", "America/New_York", "Asia/Seoul")
MAILED: Final = ("post-call", "effort")
NEEDS_YES: Final = ("email",)
_GRACE: Final = timedelta(seconds=2)  # what may pass between a decision and the message's arrival
_SURELY: Final = timedelta(minutes=2)
_TRIGGERS = """
after-call: {on: support_call.ended, when: event.call.talk_s >= 30, survey: post-call, channels: [email, webhook], max_age: 2h, delay: 0s}
after-delivery: {on: transaction.delivered, survey: post-delivery, channels: [webhook], max_age: 2h, delay: 4s}
after-refund: {on: transaction.refunded, survey: effort, channels: [webhook, email], max_age: 6h, delay: 0s}
never: {on: transaction.cancelled, survey: effort, sample: 0, max_age: 6h, delay: 0s}
"""  # noqa: E501 - as an operator writes it


@dataclass(frozen=True)
class Rule:
    """What a type of event asks, as `_TRIGGERS` says it."""

    survey: str
    channels: tuple[str, ...]
    max_age: timedelta
    expires: timedelta
    delay: timedelta = timedelta()
    sample: float = 1.0


RULES: Final = {
    "support_call.ended": Rule(
        "post-call", ("email", "webhook"), timedelta(hours=2), timedelta(hours=24)
    ),
    "transaction.delivered": Rule(
        "post-delivery", ("webhook",), timedelta(hours=2), timedelta(days=7), timedelta(seconds=4)
    ),
    "transaction.refunded": Rule(
        "effort", ("webhook", "email"), timedelta(hours=6), timedelta(minutes=90)
    ),
    "transaction.cancelled": Rule(
        "effort", ("webhook", "email"), timedelta(hours=6), timedelta(minutes=90), sample=0
    ),
}


@dataclass(frozen=True)
class Told:
    """An event as it was sent, when it happened and when it was written to Kafka."""

    body: Mapping[str, Any]
    happened: datetime
    emitted: datetime

    @property
    def rule(self) -> Rule:
        return RULES[self.body["type"]]

    @property
    def allowed(self) -> list[str]:
        """The rule's channels that reach the customer and that they agree to, in order."""
        customer = self.body["data"]["customer"]
        said = customer["consent"]
        reached = [
            c for c in self.rule.channels if c != "email" or "@" in (customer["email"] or "")
        ]
        return [c for c in reached if said.get(c, c not in NEEDS_YES)]

    @property
    def began(self) -> datetime:
        """One whose clock is ahead happened when it was told."""
        return min(self.happened, self.emitted)

    @property
    def talked(self) -> bool:
        return bool(self.body["data"].get("call", {"talk_s": 30})["talk_s"] >= 30)

    def surely_asks(self) -> bool:
        """Whether somebody must be asked, however long it takes to decide."""
        rule, decided = self.rule, self.emitted + _SURELY
        timely = decided < min(self.began + rule.max_age, self.began + rule.delay + rule.expires)
        return bool(timely and rule.sample and self.talked and self.allowed)


@dataclass(frozen=True)
class Message:
    """What came out: which event it names, by which channel, when, and the hour it promises."""

    event: str
    survey: str
    channel: str
    at: datetime
    text: str = ""


def _unasked(message: Message, told: Told) -> bool:
    return message.survey != told.rule.survey or not told.rule.sample or not told.talked


def _no_consent(message: Message, told: Told) -> bool:
    return message.channel not in told.allowed


def _wrong_channel(message: Message, told: Told) -> bool:
    return message.channel != next(iter(told.allowed), None)


def _too_old(message: Message, told: Told) -> bool:
    return told.emitted - told.began > told.rule.max_age


def _too_early(message: Message, told: Told) -> bool:
    ahead = timedelta(milliseconds=100)  # how well a replica knows the database's time
    return message.at + ahead < told.began + told.rule.delay


def _expired(message: Message, told: Told) -> bool:
    return message.at - _GRACE > told.began + told.rule.delay + told.rule.expires


def _promises_another_hour(message: Message, told: Told) -> bool:
    """A mail names the end in the customer's zone; what was ahead of its time moves it."""
    if message.channel != "email" or told.happened > told.emitted:
        return False
    zone = ZoneInfo(told.body["data"]["customer"]["timezone"])
    ends = (told.began + told.rule.delay + told.rule.expires).astimezone(zone)
    return f"{ends.day} {ends:%B} {ends.year}, {ends:%H:%M}" not in message.text


OBJECTIONS: Final[Mapping[str, Callable[[Message, Told], bool]]] = {
    "nobody asked for it": _unasked,
    "no consent": _no_consent,
    "not the first channel": _wrong_channel,
    "too old": _too_old,
    "too early": _too_early,
    "expired": _expired,
    "another hour": _promises_another_hour,
}


def objections(message: Message, told: Told) -> Iterator[str]:
    """Every rule that a message breaks."""
    return (name for name, breaks in OBJECTIONS.items() if breaks(message, told))


def write_wishing_programme(folder: Path) -> Path:
    """Mails name the event that they are about in their subject."""
    write_programme(folder, ("region",))
    (folder / "triggers.yaml").write_text(_TRIGGERS)
    with (folder / "programme.yaml").open("a") as programme:
        programme.write("\nconsent_required: [email]\n")
    surveys = yaml.safe_load((folder / "surveys.yaml").read_text())
    for survey in MAILED:
        surveys[survey]["mail"]["subject"]["en"] = f"{survey} about {{event.id}}"
    surveys["effort"]["expires"] = "90m"
    (folder / "surveys.yaml").write_text(yaml.safe_dump(surveys, allow_unicode=True))
    return folder


def wish(luck: Random, number: int, now: datetime) -> Told:
    """Somebody's event, up to three hours old or half an hour ahead of its time."""
    kind = luck.choice(list(RULES))
    age = timedelta(minutes=luck.choice((0, luck.uniform(-30, 0), luck.uniform(0, 180))))
    address = f"m-{number}@example.org"
    customer: dict[str, Any] = {
        "id": f"c-{number}",  # of their own: what another event says of consent counts too
        "email": luck.choice((address, address, None, "at home")),
        "consent": luck.choice(({}, {"email": True}, {"email": False}, {"webhook": False},
                                {"email": True, "webhook": False})),
        "timezone": ZONES[number % len(ZONES)], "locale": "en",
    }  # fmt: skip
    about: dict[str, Any] = {"transaction": {"id": f"o-{number}"}}
    if kind == "support_call.ended":
        about = {"call": {"id": f"k-{number}", "talk_s": luck.choice((10, 29, 30, 300))}}
    body = {
        "specversion": "1.0", "id": f"evt-{number}", "source": "/test", "type": kind,
        "time": (now - age).isoformat(), "data": {"customer": customer, **about},
    }  # fmt: skip
    return Told(body, now - age, now)
