"""The AsyncAPI document: every topic, every flow, and schemas that our records meet."""

from datetime import UTC, datetime
from typing import Any, Final

import jsonschema
import msgspec
import pytest
import yaml

from generate.asyncapi import KINDS, write_asyncapi
from services.alerts.domain.alerts import Change
from shared.errors import Reason, Refused
from shared.events import SurveyOptout, Topic
from shared.flows import FLOWS
from shared.stream.deadletter import REPLAY_OF, dead_letter
from shared.stream.records import Record
from tests.support.alerts import an_alert, scored
from tests.support.scoring import decision, invitation, response

AT: Final = datetime(2026, 3, 2, tzinfo=UTC)
DOCUMENT: Final[dict[str, Any]] = yaml.safe_load(write_asyncapi())
RECORDS: Final[dict[Topic, Any]] = {
    Topic.SURVEY_DECISIONS: decision("e-1"),
    Topic.SURVEY_INVITATIONS: invitation("i-1"),
    Topic.SURVEY_RESPONSES: response("r-1"),
    Topic.SCORED_RESPONSES: scored(1, AT, detractor=True),
    Topic.DETRACTOR_ALERTS: an_alert().record(Change.UPDATED),
    Topic.SURVEY_OPTOUTS: SurveyOptout(invitation_id="i-1", at=AT),
}


def check(topic: Topic, record: Any) -> None:
    schema = DOCUMENT["components"]["messages"][topic]["payload"]
    jsonschema.validate(record, schema | {"components": DOCUMENT["components"]})


@pytest.mark.parametrize("topic", [topic for topic, kind in KINDS.items() if kind.model])
def test_what_we_write_is_as_documented(topic: Topic) -> None:
    check(topic, msgspec.json.decode(msgspec.json.encode(RECORDS[topic])))


def test_what_is_not_as_documented_is_seen() -> None:
    with pytest.raises(jsonschema.ValidationError):
        check(Topic.SCORED_RESPONSES, {"schema": "survey-response/1", "id": "r-1"})


def test_every_header_of_a_dead_letter_is_there() -> None:
    """Of a replay that fails again, of which nothing could be kept whole."""
    headers = ((REPLAY_OF, b"0@1"), ("x", b"x" * 100_000))
    whole = Record("survey-responses", 0, 1, b"k" * 100_000, b"v" * 1_000_000, headers, 5)
    why = Refused(Reason.WRONG_TYPE, "no number", "score")

    letter = dead_letter(whole, why, service="scoring", now=AT)

    told = DOCUMENT["components"]["messages"][Topic.DEAD_LETTERS]["headers"]["properties"]
    assert {name for name, _ in letter.headers} == set(told) - {"traceparent"}


def test_every_topic_is_there_with_its_writers_and_readers() -> None:
    assert list(DOCUMENT["channels"]) == [str(topic) for topic in Topic]
    told = {
        (name.partition("-")[0], one["action"], one["channel"]["$ref"].rpartition("/")[2])
        for name, one in DOCUMENT["operations"].items()
    }
    assert told == {
        (service, action, str(topic))
        for service, flow in FLOWS.items()
        for action, topics in (("receive", flow.reads), ("send", flow.writes))
        for topic in topics
    }
