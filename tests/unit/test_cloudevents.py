import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.cloudevents import STRUCTURED, read_event, to_structured
from shared.errors import Reason, Refused

ENVELOPE = {
    "specversion": "1.0",
    "id": "evt-1",
    "source": "/shop/eu",
    "type": "transaction.delivered",
    "time": "2026-11-21T10:00:00+01:00",
    "subject": "o-77",
    "data": {"customer": {"id": "c-1"}},
}
BINARY = {f"ce_{name}": str(value) for name, value in ENVELOPE.items() if name != "data"}


def body(**changes: object) -> bytes:
    return json.dumps({**ENVELOPE, **changes}).encode()


def test_the_three_forms_give_the_same_event() -> None:
    data = json.dumps(ENVELOPE["data"]).encode()

    structured = read_event(f"{STRUCTURED}; charset=utf-8", {}, body())
    bare = read_event("application/json", {}, body())
    binary = read_event("application/json", BINARY, data)
    http = read_event("application/json", {k.replace("_", "-"): v for k, v in BINARY.items()}, data)

    assert structured == bare == binary == http
    assert structured.time == datetime(2026, 11, 21, 9, tzinfo=UTC)


def test_structured_form_wins_over_stray_headers() -> None:
    assert read_event(STRUCTURED, {"ce_id": "another"}, body()).id == "evt-1"


@pytest.mark.parametrize("name", ["id", "source", "type", "time"])
def test_a_missing_attribute_is_named_and_never_invented(name: str) -> None:
    for value in (None, "", "\x00"):
        with pytest.raises(Refused) as refused:
            read_event(None, {}, body(**{name: value}))
        assert refused.value.field == name
        assert refused.value.reason is Reason.MISSING_FIELD


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"{", Reason.BAD_JSON),
        (b'{"id": "\xff"}', Reason.BAD_UTF8),
        (b"[]", Reason.WRONG_TYPE),
        (body(time="yesterday"), Reason.WRONG_TYPE),
        (body(time="2026-11-21T10:00:00"), Reason.WRONG_TYPE),
        (body(time="0001-01-01T00:00:00+10:00"), Reason.OUT_OF_RANGE),
        (body(time="9999-12-31T23:59:59-10:00"), Reason.OUT_OF_RANGE),
        (body(data=[1]), Reason.WRONG_TYPE),
        (body(data=json.loads('{"a":' * 900 + "1" + "}" * 900)), Reason.BAD_JSON),
        (body(id=7), Reason.WRONG_TYPE),
        (body(id="x" * 501), Reason.TOO_LARGE),
        (body(specversion="0.3"), Reason.OUT_OF_RANGE),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(raw: bytes, reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        read_event(None, {}, raw)
    assert refused.value.reason is reason


def test_control_characters_are_removed_from_texts() -> None:
    event = read_event(None, {}, body(data={"note": "a\x00b\tc\n\x1b"}))

    assert event.data == {"note": "ab\tc\n"}


words = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1)


@settings(max_examples=40)
@given(words, words, st.dictionaries(words, words | st.integers(-99, 99) | st.booleans()))
def test_writing_and_reading_gives_the_event_again(
    identity: str, source: str, data: dict[str, object]
) -> None:
    event = read_event(None, {}, body(id=identity[:400], source=source[:400], data=data))

    assert read_event(STRUCTURED, {}, to_structured(event)) == event
