"""Records of every kind that a consumer cannot take, each beside the reason that it is to give."""

import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer

from shared.clock import utc_now
from shared.cloudevents import to_structured
from shared.errors import Reason
from shared.events import SurveyOptout, Topic
from shared.wire import encode
from tests.support.alerts import scored
from tests.support.fleet import Fleet
from tests.support.load import BEGAN, record_of
from tests.support.scoring import invitation
from tests.support.trigger import call_ended

LARGEST = 4 * 1024 * 1024
REFUSED = "refused-by-the-database"
# what the database is made to refuse, in the words of each service's own tables
PICKY = f"""
ALTER TABLE scoring.answers ADD CHECK (id !~ '{REFUSED}');
ALTER TABLE trigger.events ADD CHECK (id !~ '{REFUSED}');
ALTER TABLE trigger.answers ADD CHECK (id !~ '{REFUSED}');
ALTER TABLE trigger.suppressions ADD CHECK (reason !~ '{REFUSED}');
ALTER TABLE alerts.counted ADD CHECK (id !~ '{REFUSED}');
"""


@dataclass(frozen=True)
class Kind:
    """One kind of poison on one topic."""

    topic: Topic
    name: str
    value: bytes | None
    reason: Reason

    def key(self, number: int) -> bytes:
        return f"bad {self.name} {number}".encode()


def good(topic: Topic) -> bytes:
    """A record that its consumer takes, but for its id."""
    now = utc_now()
    match topic:
        case Topic.SURVEY_RESPONSES:
            return record_of(89_999).value or b""
        case Topic.SURVEY_INVITATIONS:
            return encode(invitation("i-0"))
        case Topic.SCORED_RESPONSES:
            return encode(scored(0, BEGAN, detractor=True, comment="late"))
        case Topic.SURVEY_OPTOUTS:
            return encode(SurveyOptout(invitation_id="i-0", at=now))
        case _:
            return to_structured(call_ended(0, at=now))


def changed(topic: Topic, **fields: object) -> bytes:
    """The same with other fields."""
    return json.dumps(json.loads(good(topic)) | fields, ensure_ascii=False).encode()


def kinds(topic: Topic) -> list[Kind]:
    """Every kind of poison for the topic's consumer."""
    value = good(topic)
    name = "invitation_id" if topic is Topic.SURVEY_OPTOUTS else "id"
    key = f'"{name}":"'.encode()
    found = [
        Kind(topic, "malformed", value[:-2], Reason.BAD_JSON),
        Kind(topic, "no-json", b"\x00\x01\x02", Reason.BAD_JSON),
        Kind(topic, "empty", b"", Reason.BAD_JSON),
        Kind(topic, "null", None, Reason.BAD_JSON),
        Kind(topic, "not-utf8", value.replace(key, key + b"\xff\xfe", 1), Reason.BAD_UTF8),
        Kind(topic, "list", b"[]", Reason.WRONG_TYPE),
        Kind(topic, "wrong-schema", b'{"schema": "other/9", "n": 1}', Reason.MISSING_FIELD),
        Kind(topic, "wrong-type", changed(topic, **{name: [7]}), Reason.WRONG_TYPE),
    ]
    return found + _own(topic)


def _own(topic: Topic) -> list[Kind]:
    """What only this consumer can refuse; of a value that fits into no column, the database."""
    huge = {"padding": secrets.token_hex(450_000), "more": "x" * 2_000_000}
    match topic:
        case Topic.SURVEY_RESPONSES:
            return [
                Kind(topic, "off-the-scale", changed(topic, scale=[0, 5]), Reason.OUT_OF_RANGE),
                Kind(topic, "too-long", changed(topic, survey="x" * 2_000_000), Reason.TOO_LARGE),
                Kind(topic, "refused", changed(topic, id=REFUSED), Reason.DATABASE),
            ]
        case Topic.SURVEY_INVITATIONS:
            return [
                Kind(topic, "revision", changed(topic, revision=2**40), Reason.OUT_OF_RANGE),
                Kind(topic, "too-long", changed(topic, survey="x" * 2_000_000), Reason.TOO_LARGE),
                Kind(topic, "refused", changed(topic, id=REFUSED), Reason.DATABASE),
            ]
        case Topic.SCORED_RESPONSES:
            return [
                Kind(topic, "class", changed(topic, **{"class": "x"}), Reason.OUT_OF_RANGE),
                Kind(topic, "too-long", changed(topic, survey="x" * 2_000_000), Reason.TOO_LARGE),
                Kind(topic, "nul", changed(topic, survey="a\u0000b"), Reason.DATABASE),
                Kind(topic, "refused", changed(topic, id=REFUSED), Reason.DATABASE),
            ]
        case Topic.SURVEY_OPTOUTS:
            return [
                Kind(topic, "too-long", changed(topic, schema=huge), Reason.WRONG_TYPE),
                Kind(topic, "nul", changed(topic, invitation_id="a\u0000b"), Reason.DATABASE),
            ]
        case _:
            return [
                Kind(topic, "time", changed(topic, time="yesterday"), Reason.WRONG_TYPE),
                Kind(topic, "too-long", changed(topic, source="x" * 2_000_000), Reason.TOO_LARGE),
                Kind(topic, "refused", changed(topic, id=REFUSED), Reason.DATABASE),
            ]


async def pour(fleet: Fleet, records: Sequence[tuple[Topic, bytes | None, bytes | None]]) -> None:
    """Write records as any client may, whatever they are."""
    producer = AIOKafkaProducer(
        bootstrap_servers=fleet.ground.kafka.bootstrap,
        acks="all",
        compression_type="zstd",
        max_request_size=LARGEST,
    )
    await producer.start()
    try:
        for first in range(0, len(records), 500):
            sent = [
                await producer.send(f"{fleet.prefix}{topic}", value, key=key)
                for topic, key, value in records[first : first + 500]
            ]
            for delivery in sent:
                await delivery
    finally:
        await producer.stop()


def some_of_each(topics: Iterable[Topic], number: int) -> list[tuple[Kind, bytes]]:
    """So many of every kind for each topic, each with a key of its own."""
    return [
        (kind, kind.key(one)) for topic in topics for kind in kinds(topic) for one in range(number)
    ]
