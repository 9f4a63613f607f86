"""Events as careless emitters send them, and whom they ask: each thing once, whatever comes.

Customer `n` bought `o-n`, which was delivered and completed (two types of event about one thing),
for every second one refunded, and called once. Deliveries and refunds ask by webhook, calls by
mail.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer

from shared.events import PARTITIONS, SurveyInvitation, Topic
from shared.stream.kafka import read_all
from tests.support.fleet import Fleet
from tests.support.load import write_programme

_TRIGGERS = """
after-delivery: {on: transaction.delivered, survey: post-delivery, channels: [webhook], delay: 0s, cancel_on: []}
after-completion: {on: transaction.completed, survey: post-delivery, channels: [webhook], delay: 0s, cancel_on: []}
after-refund: {on: transaction.refunded, survey: effort, channels: [webhook], delay: 0s}
after-call: {on: support_call.ended, survey: post-call, channels: [email], delay: 0s}
"""  # noqa: E501 - as an operator writes it
_CONTENT = ("content-type", b"application/cloudevents+json")
_INVITATION = msgspec.json.Decoder(SurveyInvitation)
SECRET = "whsec_" + "c2VjcmV0" * 4


@dataclass(frozen=True, order=True)
class Asking:
    """One survey asks one customer about one thing."""

    survey: str
    customer: str
    subject: str


@dataclass
class Crowd:
    """Customers by number, as emitters tell of them; `at` is when everything happened."""

    luck: Random
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def events(self, number: int) -> list[dict[str, Any]]:
        order = {"transaction": {"id": f"o-{number}", "amount": 59.9, "currency": "EUR"}}
        call = {"call": {"id": f"k-{number}", "queue": "billing", "talk_s": 120}}
        told = [
            self._event(number, "transaction.delivered", order),
            self._event(number, "transaction.completed", order),
            self._event(number, "support_call.ended", call),
        ]
        if number % 2:
            told.append(self._event(number, "transaction.refunded", order))
        return told

    def askings(self, number: int) -> set[Asking]:
        customer = f"c-{number}"
        asked = {Asking("post-delivery", customer, f"o-{number}")}
        asked.add(Asking("post-call", customer, f"k-{number}"))
        if number % 2:
            asked.add(Asking("effort", customer, f"o-{number}"))
        return asked

    def repeated(self, numbers: Iterable[int], times: int) -> list[dict[str, Any]]:
        """Every event so often, a tenth of the repeats under another event's id, in any order."""
        told: list[dict[str, Any]] = []
        for event in (event for number in numbers for event in self.events(number)):
            told += [event] * times
            told += [{**event, "id": f"{event['id']}-again"}] * (times // 10)
        self.luck.shuffle(told)
        return told

    def _event(self, number: int, kind: str, about: Mapping[str, Any]) -> dict[str, Any]:
        customer = {"id": f"c-{number}", "email": f"c-{number}@example.org", "locale": "en"}
        return {
            "specversion": "1.0", "id": f"{kind}-{number}", "source": "/test", "type": kind,
            "time": self.at.isoformat(), "data": {"customer": customer, **about},
        }  # fmt: skip


def write_asking_programme(folder: Path) -> Path:
    write_programme(folder, ("region",))
    (folder / "triggers.yaml").write_text(_TRIGGERS)
    return folder


async def emit(fleet: Fleet, events: Sequence[Mapping[str, Any]], luck: Random) -> None:
    """Write events as strangers do, who hash keys in ways of their own: to any partition."""
    producer = AIOKafkaProducer(bootstrap_servers=fleet.ground.kafka.bootstrap, acks="all")
    await producer.start()
    try:
        for first in range(0, len(events), 500):
            sent = [
                await producer.send(
                    f"{fleet.prefix}{topic_of(event['type'])}",
                    msgspec.json.encode(event),
                    partition=luck.randrange(PARTITIONS),
                    headers=[_CONTENT],
                )
                for event in events[first : first + 500]
            ]
            for one in sent:
                await one
    finally:
        await producer.stop()


def topic_of(kind: str) -> Topic:
    return Topic.SUPPORT_CALLS if kind.startswith("support_call.") else Topic.TRANSACTIONS


async def invitations(fleet: Fleet) -> dict[str, SurveyInvitation]:
    """The last that `survey-invitations` says of each."""
    topic = f"{fleet.prefix}{Topic.SURVEY_INVITATIONS}"
    found: dict[str, SurveyInvitation] = {}
    for record in await read_all(fleet.ground.kafka.bootstrap, topic):
        told = _INVITATION.decode(record.value or b"")
        if told.id not in found or told.revision > found[told.id].revision:
            found[told.id] = told
    return found


def asking_of(invitation: SurveyInvitation) -> Asking:
    return Asking(invitation.survey, invitation.customer_id, invitation.subject_id)
