"""The AsyncAPI 3 document: every topic, who writes and reads it, and what stands on it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import yaml

from services.alerts.domain.alerts import SCHEMA, Alert, Change
from shared.events import (
    PARTITIONS,
    ScoredResponse,
    SurveyDecision,
    SurveyInvitation,
    SurveyOptout,
    SurveyResponse,
    Topic,
)
from shared.flows import FLOWS, group_of
from shared.stream.deadletter import CUT
from shared.stream.kafka.topics import COPIES, topic_config
from shared.version import VERSION

Doc = dict[str, Any]
_SCHEMAS: Final = "#/components/schemas"
_ABOUT: Final = """
What crosses a service's border on Kafka. A record is the whole present truth of one thing: the
greatest `version` or `revision` wins, so repetition and another order do no harm. Readers ignore
fields that they do not know. Times are RFC 3339 in UTC.
"""
_TRACE: Final[Doc] = {
    "traceparent": {
        "type": "string",
        "description": "W3C Trace Context, where the record belongs to a trace",
    }
}
_ATTRIBUTES: Final = ("specversion", "id", "source", "type", "time", "data")
_CLOUDEVENT: Final[Doc] = {
    "type": "object",
    "title": "CloudEvent",
    "description": "CloudEvents 1.0, structured; binary (attributes as `ce_` headers) is read too.",
    "required": list(_ATTRIBUTES),
    "properties": {
        "specversion": {"type": "string", "const": "1.0"},
        "id": {"type": "string", "description": "unique within its source"},
        "source": {"type": "string", "format": "uri-reference"},
        "type": {"type": "string", "pattern": r"^(transaction|support_call)\."},
        "subject": {"type": "string"},
        "time": {"type": "string", "format": "date-time"},
        "data": {
            "type": "object",
            "description": "customer, segments, touchpoint, and what triggers read",
        },
    },
}
_LETTER_HEADERS: Final = {
    "earshot-topic": "where the record stood",
    "earshot-partition": "likewise",
    "earshot-offset": "likewise",
    "earshot-service": "who could not process it",
    "earshot-reason": "why, as one of a fixed list of words",
    "earshot-detail": "why, as a sentence that quotes no value",
    "earshot-field": "the field at fault, where one is",
    "earshot-failed-at": "when, RFC 3339",
    "earshot-failures": "how often it has failed",
    "earshot-timestamp": "create time of the record as it first came, epoch ms",
    "earshot-replay-of": "the letter that was sent back, of one that failed again",
    **{name: f"bytes that its {part} had: too long, not whole here" for name, part in CUT.items()},
}


@dataclass(frozen=True)
class Kind:
    """What stands on a topic: its model (None: anything), what its key is, what it is."""

    key: str
    model: type[msgspec.Struct] | None = None
    about: str = ""

    @property
    def summary(self) -> str:
        """One sentence: the model's own where nothing else is said."""
        if self.about or self.model is None:
            return self.about
        told = (self.model.__doc__ or "").partition(": ")[2]  # before it stands the topic
        return f"{told[:1].upper()}{told[1:]}"


KINDS: Final[Mapping[Topic, Kind]] = {
    Topic.TRANSACTIONS: Kind("customer id", about="Events of shops: `transaction.*`."),
    Topic.SUPPORT_CALLS: Kind("customer id", about="Events of contact centres: `support_call.*`."),
    Topic.SURVEY_DECISIONS: Kind("customer id", SurveyDecision),
    Topic.SURVEY_INVITATIONS: Kind("invitation's id", SurveyInvitation),
    Topic.SURVEY_RESPONSES: Kind("answer's id", SurveyResponse),
    Topic.SCORED_RESPONSES: Kind("answer's id", ScoredResponse),
    Topic.DETRACTOR_ALERTS: Kind("alert's id", Alert, "An alert as it is after each change."),
    Topic.SURVEY_OPTOUTS: Kind("invitation's id", SurveyOptout),
    Topic.DEAD_LETTERS: Kind(
        "the record's own", about="A record that cannot be processed, as it was, and why."
    ),
}


def write_asyncapi() -> str:
    """The document as YAML."""
    schemas, components = _schemas()
    document: Doc = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Earshot",
            "version": VERSION,
            "description": " ".join(_ABOUT.split()),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {str(topic): _channel(topic) for topic in Topic},
        "operations": dict(_operations()),
        "components": {
            "messages": {str(topic): _message(topic, schemas[topic]) for topic in Topic},
            "schemas": components,
        },
    }
    head = "# Written by `make generate`; a test keeps it equal to the code.\n"
    return head + yaml.dump(document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)


class _Plain(yaml.SafeDumper):
    """Every value where it stands, lists indented."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        super().increase_indent(flow, indentless=False)


def _channel(topic: Topic) -> Doc:
    config = topic_config(topic, COPIES)
    return {
        "address": str(topic),
        "description": KINDS[topic].summary,
        "messages": {str(topic): {"$ref": f"#/components/messages/{topic}"}},
        "bindings": {
            "kafka": {
                "topic": str(topic),
                "partitions": PARTITIONS,
                "replicas": COPIES,
                "topicConfiguration": {"retention.ms": int(config["retention.ms"])},
            }
        },
    }


def _operations() -> Iterator[tuple[str, Doc]]:
    for service, flow in FLOWS.items():
        for topic in flow.reads:
            group = {"kafka": {"groupId": {"type": "string", "const": group_of(service)}}}
            yield f"{service}-reads-{topic}", _operation("receive", topic) | {"bindings": group}
        for topic in flow.writes:
            yield f"{service}-writes-{topic}", _operation("send", topic)


def _operation(action: str, topic: Topic) -> Doc:
    return {"action": action, "channel": {"$ref": f"#/channels/{topic}"}}


def _message(topic: Topic, payload: Doc) -> Doc:
    kind, events = KINDS[topic], topic in {Topic.TRANSACTIONS, Topic.SUPPORT_CALLS}
    headers: Doc = dict(_TRACE)
    if topic is Topic.DEAD_LETTERS:
        texts = _LETTER_HEADERS.items()
        headers |= {name: {"type": "string", "description": text} for name, text in texts}
    if events:
        headers["content-type"] = {"type": "string", "const": "application/cloudevents+json"}
    return {
        "summary": kind.summary,
        "contentType": "application/cloudevents+json" if events else "application/json",
        "headers": {"type": "object", "properties": headers},
        "payload": payload,
        "bindings": {"kafka": {"key": {"type": "string", "description": kind.key}}},
    }


def _schemas() -> tuple[Mapping[Topic, Doc], Doc]:
    """Each topic's payload, and what these refer to."""
    modelled = {topic: kind.model for topic, kind in KINDS.items() if kind.model is not None}
    found, components = msgspec.json.schema_components(
        modelled.values(), ref_template=_SCHEMAS + "/{name}"
    )
    components["CloudEvent"] = _CLOUDEVENT
    schemas: dict[Topic, Doc] = dict(zip(modelled, found, strict=True))
    event = {"$ref": f"{_SCHEMAS}/CloudEvent"}
    schemas |= {Topic.TRANSACTIONS: event, Topic.SUPPORT_CALLS: event, Topic.DEAD_LETTERS: {}}
    schemas[Topic.DETRACTOR_ALERTS] = {"allOf": [schemas[Topic.DETRACTOR_ALERTS], _changed()]}
    return schemas, components


def _changed() -> Doc:
    return {
        "type": "object",
        "required": ["schema", "change"],
        "properties": {
            "schema": {"type": "string", "const": SCHEMA},
            "change": {"type": "string", "enum": [str(change) for change in Change]},
        },
    }
