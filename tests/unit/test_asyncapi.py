"""The AsyncAPI document: every topic, every flow, and schemas that our records meet."""

from datetime import UTC, datetime
from typing import Any, Final

import jsonschema
import msgspec
import pytest
import yaml

from generate.asyncapi import KINDS, write_asyncapi
from services.alerts.domain.alerts import Change
from shared.events import SurveyOptout, Topic
from shared.flows import FLOWS
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
