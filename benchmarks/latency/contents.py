"""What is sent: the n-th answer, the n-th event, as HTTP or as a record."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from services.trigger.domain.occasions import invitation_id
from shared.events import Topic
from shared.stream.records import Outgoing

REGIONS: Final = ("EU", "US", "APAC")
PRODUCTS: Final = ("shoes", "jackets", "bags", "hats")
CHANNELS: Final = ("web", "app")
SURVEY: Final = "post-call"
STRUCTURED: Final = "application/cloudevents+json"


class Kind(StrEnum):
    """An answer by HTTP, an event by HTTP, an event as a record that an emitter writes."""

    ANSWER = "answer"
    EVENT = "event"
    RECORD = "record"


def answer_id(number: int) -> str:
    return f"answer-{number}"


def event_id(number: int) -> str:
    return f"event-{number}"


def mail_id(number: int) -> str:
    """The id of the invitation that the n-th event leads to, which names its mail."""
    return invitation_id(SURVEY, f"c-{number}", f"call-{number}")


def contents_of(kind: Kind, numbers: range) -> Sequence[Any]:
    """Ready to be sent: requests, or records."""
    if kind is Kind.ANSWER:
        return [post("/v1/responses", answer(number)) for number in numbers]
    now = datetime.now(UTC).isoformat()
    events = [event(number, now) for number in numbers]
    if kind is Kind.EVENT:
        return [post("/v1/events", each, media=STRUCTURED) for each in events]
    headers = (("content-type", STRUCTURED.encode()),)
    return [
        Outgoing(Topic.SUPPORT_CALLS, f"c-{number}".encode(), packed(each), headers)
        for number, each in zip(numbers, events, strict=True)
    ]


def post(path: str, body: Any, *, media: str = "application/json") -> bytes:
    content = packed(body)
    head = f"POST {path} HTTP/1.1\r\nhost: latency\r\ncontent-type: {media}\r\n"
    return f"{head}content-length: {len(content)}\r\n\r\n".encode() + content


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: latency\r\n\r\n".encode()


def packed(body: Any) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def answer(number: int) -> dict[str, Any]:
    """One in ten is unhappy, in every slice alike."""
    return {
        "id": answer_id(number),
        "metric": "nps",
        "customer_id": f"c-{number}",
        "segments": {
            "region": REGIONS[number % 3],
            "product": PRODUCTS[number // 3 % 4],
            "channel": CHANNELS[number // 12 % 2],
        },
        "answers": {"score": 2 if number * 7919 % 97 < 10 else 9, "reasons": []},
    }


def event(number: int, now: str) -> dict[str, Any]:
    """A call that has ended; each customer calls once, and each is asked."""
    customer = f"c-{number}"
    return {
        "specversion": "1.0",
        "id": event_id(number),
        "source": "/calls",
        "type": "support_call.ended",
        "time": now,
        "data": {
            "customer": {"id": customer, "email": f"{customer}@example.org", "locale": "de"},
            "call": {"id": f"call-{number}", "queue": "billing", "talk_s": 90},
            "segments": {"region": REGIONS[number % 3], "product": PRODUCTS[number // 3 % 4]},
        },
    }
