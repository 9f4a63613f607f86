"""The wire contract: every record says what it is, and what cannot be read says why not."""

from datetime import UTC, datetime

import msgspec
import pytest

from shared import events
from shared.cloudevents import read_event
from shared.errors import Reason, Refused
from shared.events import SurveyOptout, decode_record, decoder, encode

NOW = datetime(2026, 11, 21, 11, 2, 3, tzinfo=UTC)


def test_every_record_of_ours_carries_its_schema() -> None:
    ours = [
        kind
        for name, kind in vars(events).items()
        if name.startswith(("Survey", "Scored")) and issubclass(kind, msgspec.Struct)
    ]

    assert len(ours) == 5
    assert all("schema" in kind.__struct_fields__ for kind in ours)


def test_an_opt_out_is_read_with_its_schema_or_without() -> None:
    written = encode(SurveyOptout(invitation_id="i-1", at=NOW))

    assert msgspec.json.decode(written) == {
        "schema": "survey-optout/1",
        "invitation_id": "i-1",
        "channels": [],
        "at": "2026-11-21T11:02:03Z",
    }
    before = b'{"invitation_id": "i-1", "at": "2026-11-21T11:02:03Z", "later": 1}'
    assert decode_record(decoder(SurveyOptout), before).at == NOW


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"{", Reason.BAD_JSON),
        (b"\xff\xfe{}", Reason.BAD_UTF8),
        (b'{"invitation_id": "\xff"}', Reason.BAD_UTF8),
    ],
)
def test_what_is_not_even_utf8_is_told_from_what_is_not_json(value: bytes, reason: Reason) -> None:
    with pytest.raises(Refused) as record:
        decode_record(decoder(SurveyOptout), value)
    with pytest.raises(Refused) as event:
        read_event(None, {}, value)

    assert record.value.reason is event.value.reason is reason
