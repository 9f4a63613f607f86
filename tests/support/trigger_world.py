"""Random customers and events: clocks that are wrong, minds that change, parts that come late."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from itertools import count
from random import Random
from typing import Any

from shared.events import Event
from shared.programme.asking import NEVER_QUIET, Cap, QuietHours
from shared.programme.models import Programme, Trigger
from tests.support.trigger import programme, shipped
from tests.support.trigger_witness import Home

HOUR = timedelta(hours=1)
# in each of these days somebody's clock is changed: New York and Berlin, spring and autumn
CHANGES = [
    datetime(2026, 3, 8, 7, tzinfo=UTC),
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 11, 1, 6, tzinfo=UTC),
]
TRIGGERS: dict[str, dict[str, Any]] = {
    "call": {
        "on": "support_call.ended",
        "when": "event.call.talk_s >= 30",
        "survey": "post-call",
        "cancel_on": [],
    },
    "long-call": {
        "on": "support_call.ended",
        "when": "event.call.talk_s >= 600",
        "survey": "effort",
        "channels": ["webhook"],
        "delay": "2h",
        "cancel_on": ["support_call.reopened"],
    },
    "delivered": {
        "on": "transaction.delivered",
        "survey": "post-delivery",
        "delay": "1h",
        "cancel_on": ["transaction.refunded"],
        "max_age": "1d",
    },
    "shipped": {
        "on": "transaction.shipped",
        "when": "event.transaction.amount >= 50",
        "survey": "effort",
        "channels": ["webhook"],
        "delay": "10m",
        "settle": "15m",
        "cancel_on": ["transaction.refunded"],
    },
}
CAPS = (
    Cap(most=2, per=20 * HOUR),
    Cap(most=1, per=72 * HOUR, each=("customer", "survey"), surveys=("post-delivery",)),
    Cap(most=1, per=26 * HOUR, each=("customer", "channel"), surveys=("effort",)),
    Cap(most=5, per=6 * HOUR, each=("agent",), surveys=("post-call",)),
)
CALLS = ("support_call.ended",) * 5 + ("support_call.reopened",)
ORDERS = (
    *("transaction.delivered",) * 5,
    *("transaction.shipped",) * 5,
    *("transaction.refunded",) * 2,
    *("transaction.paid",) * 14,
)
PLACES = (
    Home("Europe/Berlin", None),
    Home("Europe/Berlin", "DE"),
    Home("America/New_York", "US"),
    Home("Pacific/Auckland", None),
    Home("Asia/Kathmandu", None),
    Home(None, "US"),
    Home(None, "DE"),
    Home("Mars/Base", "KR"),
    Home(None, "XX"),
    Home(None, None),
)


def world_programme() -> Programme:
    """What `tests.support.trigger_witness` knows by heart."""
    surveys = dict(shipped().surveys)
    own = QuietHours(time(22), time(7, 30))
    for key, hours in (("post-call", NEVER_QUIET), ("post-delivery", None), ("effort", own)):
        surveys[key] = surveys[key].model_copy(update={"quiet_hours": hours, "reminders": None})
    return programme(
        surveys=surveys,
        triggers={key: Trigger(key=key, **written) for key, written in TRIGGERS.items()},
        caps=CAPS,
        quiet_hours=QuietHours(time(21), time(8)),
        consent_required=("email",),
    )


@dataclass
class Person:
    """One customer, known by an id or, as a guest, by their address alone."""

    number: int
    home: Home
    guest: bool
    mail: bool
    consent: dict[str, bool] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"p{self.number}@example.org"

    @property
    def id(self) -> str:
        if self.guest:
            return "guest:" + hashlib.sha256(self.address.encode()).hexdigest()
        return f"c-{self.number}"

    def shown(self) -> dict[str, Any]:
        """As an event shows them."""
        who: dict[str, Any] = {} if self.guest else {"id": self.id}
        if self.mail or self.guest:
            who["email"] = self.address
        home = {"timezone": self.home.timezone, "country": self.home.country}
        return {**who, **home, "consent": dict(self.consent)}


class World:
    """People, and what they do; the same for the same seed."""

    def __init__(self, seed: int, people: int) -> None:
        self.random = Random(seed)
        self.people = [self._person(number) for number in range(people)]
        self.homes = {person.id: person.home for person in self.people}
        self.skews = [timedelta(minutes=m) for m in (-60, -31, 0, 0, 0, 17, 44, 60)]
        self._numbers = count()

    def happen(
        self, since: datetime, until: datetime, number: int
    ) -> Iterator[tuple[datetime, Event]]:
        """Events between two moments, each with when it comes: mostly soon, some hours later."""
        for _ in range(number):
            truly = since + (until - since) * self.random.random()
            late = self.random.choice((0, 0, 0, 0, 0, 0, 10, 40, 240, 600))
            yield truly + timedelta(minutes=late * self.random.random()), self._event(truly)

    def _person(self, number: int) -> Person:
        draw = self.random
        guest = draw.random() < 0.1
        person = Person(number, draw.choice(PLACES), guest, mail=draw.random() < 0.8)
        self._change_mind(person)
        return person

    def _change_mind(self, person: Person) -> None:
        for channel, yes in (("email", 0.8), ("webhook", 0.85)):
            if self.random.random() < 0.7:
                person.consent[channel] = self.random.random() < yes

    def _event(self, truly: datetime) -> Event:
        draw = self.random
        person = draw.choice(self.people)
        if draw.random() < 0.05:
            self._change_mind(person)
        named = draw.random() > 0.03
        data: dict[str, Any] = {"customer": person.shown() if named else None}
        kind = draw.choice((*CALLS, *ORDERS))
        about = f"{person.number}-{draw.randrange(8)}"
        if kind.startswith("support_call"):
            talk, agent = draw.choice((5, 90, 900)), f"a-{draw.randrange(len(self.people) // 15)}"
            data["call"] = {"id": f"k-{about}", "talk_s": talk, "agent": agent}
        else:
            amount = draw.choice((10, 60, None))
            data["transaction"] = {"id": f"o-{about}", "amount": amount}
        source = draw.randrange(len(self.skews))
        stamped = truly + self.skews[source] + timedelta(seconds=draw.randrange(-60, 60))
        return Event(
            id=f"evt-{next(self._numbers)}",
            source=f"/source-{source}",
            type=kind,
            time=stamped.replace(microsecond=0),
            data=data,
        )
