"""The wire contract: every record says what it is, and what cannot be read says why not."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import events
from shared.cloudevents import read_event
from shared.errors import Reason, Refused
from shared.events import SurveyOptout
from shared.wire import decode_record, decoder, encode, encode_text

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
        (b'{"later": ' + b"[" * 30_000 + b"]" * 30_000 + b"}", Reason.TOO_LARGE),
    ],
)
def test_what_cannot_be_read_at_all_says_why(value: bytes, reason: Reason) -> None:
    with pytest.raises(Refused) as record:
        decode_record(decoder(SurveyOptout), value)
    with pytest.raises(Refused) as event:
        read_event(None, {}, value)

    assert record.value.reason is event.value.reason is reason


ZONES = st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours)))
MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2199, 1, 1), timezones=ZONES)  # noqa: DTZ001


@given(MOMENTS, st.booleans())
def test_a_moment_as_text_is_in_utc_to_the_microsecond(moment: datetime, whole: bool) -> None:
    if whole:
        moment = moment.replace(microsecond=0)

    assert encode_text(moment) == moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
