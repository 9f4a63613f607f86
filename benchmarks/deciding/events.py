"""What the benchmark of decisions is fed: a programme with every rule on, and made-up events."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from services.trigger.domain.occasions import read_occasion
from services.trigger.handlers import Arrival
from shared.events import Event, Topic
from shared.programme.asking import Cap, QuietHours
from shared.programme.loading import load_programme
from shared.programme.models import Programme
from shared.programme.rules import compile_rule
from shared.programme.triggers import Experiment, Variant
from shared.stream import Outgoing

CHANNELS = frozenset({"email", "webhook"})
SHIPPED = Path(__file__).resolve().parents[2] / "programme"
CUSTOMER = "event.customer.locale.startsWith('de') && 'region' in event.segments"
TYPES = ("support_call.ended", "transaction.delivered", "transaction.refunded")
_HEADER = ("content-type", b"application/cloudevents+json")
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Seoul", None)
MONTH, DAY = timedelta(days=30), timedelta(days=1)
CAPS = (
    Cap(most=4, per=MONTH),
    Cap(most=3, per=MONTH, each=("customer", "survey")),
    Cap(most=3, per=MONTH, each=("customer", "channel")),
    Cap(most=5_000, per=DAY, each=("agent",)),
)
CHANGES: dict[str, dict[str, Any]] = {
    "after-call": {
        "when": compile_rule(f"event.call.talk_s >= 30 && {CUSTOMER}"),
        "sample": 0.95,
        "target_margin": 1.0,
        "target_by": "region",
    },
    "after-delivery": {
        "when": compile_rule(f"event.transaction.amount > 90.0 && {CUSTOMER}"),
        "delay": timedelta(seconds=2),
        "experiment": Experiment(
            name="later",
            variants={"usual": Variant(), "later": Variant(delay=timedelta(seconds=3))},
        ),
    },
    "after-refund": {
        "when": compile_rule(f"event.transaction.amount > 90.0 && {CUSTOMER}"),
        "settle": timedelta(seconds=1),
        "delay": timedelta(0),
    },
}


def strict_programme() -> Programme:
    """The shipped programme with every rule on."""
    base = load_programme(SHIPPED)
    triggers = {
        key: trigger.model_copy(update=CHANGES[key]) for key, trigger in base.triggers.items()
    }
    surveys = {key: s.model_copy(update={"quiet_hours": None}) for key, s in base.surveys.items()}
    quiet = QuietHours(time(3), time(3, 1))
    fields = {name: getattr(base, name) for name in Programme.model_fields}
    said = {"caps": CAPS, "quiet_hours": quiet, "triggers": triggers, "surveys": surveys}
    return Programme(**{**fields, **said})


@dataclass(frozen=True)
class Kind:
    """Events of which such a share meets its rule, of so many customers; the source names it."""

    share: float
    customers: int
    source: str = "/bench"


def made_up(kind: Kind, numbers: range) -> list[Outgoing]:
    """Calls, deliveries and refunds as records of Kafka, the same at each run but for the time."""
    # emitters whose clocks are ahead: delays then count from when an event is heard of
    luck, now = Random(numbers.start), datetime.now(UTC) + timedelta(minutes=2)
    return [record_of(number, luck, now, kind) for number in numbers]


def record_of(number: int, luck: Random, now: datetime, kind: Kind) -> Outgoing:
    """One of these events; a third of them are calls."""
    event = _event(number, luck, now, kind)
    body = {"specversion": "1.0", "id": event.id, "source": event.source, "type": event.type}
    value = msgspec.json.encode({**body, "time": event.time, "data": event.data})
    topic = Topic.SUPPORT_CALLS if event.type == TYPES[0] else Topic.TRANSACTIONS
    return Outgoing(topic, event.id.encode(), value, (_HEADER,))


def _event(number: int, luck: Random, now: datetime, kind: Kind) -> Event:
    type_, matches = luck.choice(TYPES), luck.random() < kind.share
    # a refund is of an order before it
    matter = number if type_ != TYPES[2] else max(0, number - luck.randrange(3_000))
    # every customer comes twice; then there are others, for caps would turn them all away
    customer = f"c-{matter // (2 * kind.customers)}-{matter * 7_919 % kind.customers}"
    data = _data(customer, luck)
    if type_ == TYPES[0]:
        agent = f"a-{luck.randrange(200)}"
        talk_s = 120 if matches else 5
        data["call"] = {"id": f"call-{number}", "queue": "q", "agent": agent, "talk_s": talk_s}
    else:
        amount = 99.5 if matches else 20.0
        data["transaction"] = {"id": f"o-{matter}", "amount": amount, "currency": "EUR"}
    return Event(id=f"evt-{number}", source=kind.source, type=type_, time=now, data=data)


def _data(customer_id: str, luck: Random) -> dict[str, Any]:
    return {
        "customer": {
            "id": customer_id,
            "email": f"{customer_id}@bench.example",
            "locale": "de-DE",
            "timezone": luck.choice(ZONES),
            "consent": {"email": True},
        },
        "touchpoint": "bench",
        "segments": {"region": luck.choice(("EU", "US", "KR")), "product": "shoes"},
    }


def past(round_: int, customers: int, now: datetime) -> list[Arrival]:
    """A call of each of these customers; three rounds of them are what caps then see."""
    return [_call(f"past-{round_}-{number}", number, now) for number in range(customers)]


def welcome(customers: int, now: datetime) -> list[Arrival]:
    """One more call of each."""
    return [_call(f"new-{number}", number, now) for number in range(customers)]


def _call(name: str, number: int, now: datetime) -> Arrival:
    data = _data(f"known-{number}", Random(number))
    data["call"] = {"id": name, "queue": "q", "agent": f"a-{number % 500}", "talk_s": 120}
    event = Event(id=name, source="/past", type=TYPES[0], time=now, data=data)
    paths = {"region": None, "product": None, "agent": "call.agent", "touchpoint": "touchpoint"}
    return Arrival(read_occasion(event, paths))
