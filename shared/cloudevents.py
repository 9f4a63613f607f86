"""CloudEvents 1.0 in three forms, decided by the content type, all to the same `Event`.

structured  `application/cloudevents+json`: the envelope is the body
binary      another content type and `ce_*` (Kafka) or `ce-*` (HTTP) headers: the body is `data`
bare        no CloudEvents content type and no `ce` headers: a JSON record of the structured form

Ids are never invented: an event without one could not be told from its repetition.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from shared.errors import Reason, Refused
from shared.events import Event
from shared.wire import refused_json

STRUCTURED: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
_REQUIRED: Final = ("id", "source", "type", "time")
_LONGEST: Final = 500
_JSON: Final = msgspec.json.Decoder()


def media_type(content_type: str | None) -> str:
    """The content type without parameters, in lower case."""
    return (content_type or "").partition(";")[0].strip().lower()


def read_event(content_type: str | None, headers: Mapping[str, str], body: bytes) -> Event:
    """Read one event. Header names may be in any case.

    Raises Refused, which names the field and never its value.
    """
    attributes = _binary_attributes(headers)
    if media_type(content_type) != STRUCTURED and attributes:
        return from_envelope({**attributes, "data": _json(body) if body else {}})
    return from_envelope(_json(body))


def from_envelope(envelope: object) -> Event:
    """Read an event from the JSON object of its structured form."""
    if not isinstance(envelope, dict):
        raise Refused(Reason.WRONG_TYPE, "the event is not a JSON object")
    if envelope.get("specversion", "1.0") != "1.0":
        raise Refused(Reason.OUT_OF_RANGE, "specversion: only 1.0 is accepted", "specversion")
    texts = {name: _text(envelope, name) for name in _REQUIRED}
    data = envelope.get("data")
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise Refused(Reason.WRONG_TYPE, "data: a JSON object is accepted", "data")
    subject = envelope.get("subject")
    if subject is not None and not isinstance(subject, str):
        raise Refused(Reason.WRONG_TYPE, "subject: a text is accepted", "subject")
    return Event(
        id=texts["id"],
        source=texts["source"],
        type=texts["type"],
        time=_moment(texts["time"]),
        subject=_clean(subject) or None if subject else None,
        data=_scrubbed(data),
    )


def to_structured(event: Event) -> bytes:
    """The structured JSON form of an event."""
    envelope: dict[str, Any] = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "time": event.time,
        "datacontenttype": "application/json",
        "data": event.data,
    }
    if event.subject is not None:
        envelope["subject"] = event.subject
    return msgspec.json.encode(envelope)


def _scrubbed(data: dict[str, Any]) -> Any:
    try:
        return scrub(data)
    except RecursionError:
        raise Refused(Reason.BAD_JSON, "data is nested too deeply", "data") from None


def scrub(value: Any) -> Any:
    """The value with control characters other than tab and newline removed from its texts."""
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, dict):
        return {_clean(key): scrub(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [scrub(inner) for inner in value]
    return value


_CONTROL: Final = {
    code: None for code in (*range(0x20), 0x7F, *range(0x80, 0xA0)) if code not in (0x09, 0x0A)
}


def _clean(text: str) -> str:
    return text if text.isprintable() else text.translate(_CONTROL)


def _binary_attributes(headers: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name, value in headers.items():
        lower = name.lower()
        if lower.startswith(("ce_", "ce-")):
            found[lower[3:]] = value
    return found


def _json(body: bytes) -> Any:
    try:
        return _JSON.decode(body)
    except UnicodeDecodeError:
        raise Refused(Reason.BAD_UTF8, "the value is not UTF-8") from None
    except RecursionError:
        raise Refused(Reason.TOO_LARGE, "the value is nested too deeply") from None
    except msgspec.DecodeError:
        raise refused_json(body) from None


def _text(envelope: Mapping[str, Any], name: str) -> str:
    value = envelope.get(name)
    if value is None or value == "":
        raise Refused(Reason.MISSING_FIELD, f"{name} is missing", name)
    if not isinstance(value, str):
        raise Refused(Reason.WRONG_TYPE, f"{name}: a text is accepted", name)
    if len(value) > _LONGEST:
        raise Refused(Reason.TOO_LARGE, f"{name}: at most {_LONGEST} characters", name)
    cleaned = _clean(value)
    if not cleaned:
        raise Refused(Reason.MISSING_FIELD, f"{name} is missing", name)
    return cleaned


def _moment(text: str) -> datetime:
    try:
        moment = msgspec.convert(text, datetime)
        if moment.tzinfo is None:
            raise Refused(Reason.WRONG_TYPE, "time: an offset is needed (RFC 3339)", "time")
        return moment.astimezone(UTC)
    except msgspec.ValidationError:
        raise Refused(Reason.WRONG_TYPE, "time: RFC 3339 with offset is accepted", "time") from None
    except OverflowError:
        raise Refused(Reason.OUT_OF_RANGE, "time: the years 1 to 9999 in UTC", "time") from None
