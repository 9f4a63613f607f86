from datetime import UTC, datetime

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from shared.errors import Reason, Refused
from shared.events import SurveyResponse
from shared.stream.deadletter import KEPT_BYTES, dead_letter
from shared.stream.poison import PoisonGauge
from shared.stream.records import KafkaUnavailable, Record, TooLargeForKafka
from shared.stream.verdict import Verdict, judge
from shared.wire import decode_record, decoder

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def record(value: bytes | None) -> Record:
    return Record("survey-responses", 3, 7, b"key", value, (("trace", b"x"),), 0)


def wrapped(error: Exception) -> DBAPIError:
    outer = DBAPIError("SELECT", {}, error)
    outer.__cause__ = error
    return outer


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (asyncpg.ConnectionDoesNotExistError("gone"), Verdict.WEATHER),
        (asyncpg.DeadlockDetectedError("x"), Verdict.WEATHER),
        (asyncpg.DiskFullError("x"), Verdict.WEATHER),
        (asyncpg.AdminShutdownError("x"), Verdict.WEATHER),
        (asyncpg.UndefinedTableError("not migrated"), Verdict.WEATHER),
        (asyncpg.InterfaceError("connection is closed"), Verdict.WEATHER),
        (ConnectionRefusedError(), Verdict.WEATHER),
        (TimeoutError(), Verdict.SLOW),
        (asyncpg.QueryCanceledError("statement timeout"), Verdict.SLOW),
        (asyncpg.DataError("invalid input for query argument"), Verdict.DATA),
        (KafkaUnavailable("away"), Verdict.WEATHER),
        (TooLargeForKafka("5 MB"), Verdict.BUG),
        (asyncpg.NotNullViolationError("x"), Verdict.DATA),
        (asyncpg.CharacterNotInRepertoireError("NUL"), Verdict.DATA),
        (ZeroDivisionError(), Verdict.BUG),
        (KeyError("x"), Verdict.BUG),
    ],
)
def test_weather_is_not_poison(error: Exception, verdict: Verdict) -> None:
    assert judge(error) is verdict
    assert judge(wrapped(error)) in (verdict, Verdict.BUG)
    if isinstance(error, asyncpg.PostgresError):
        assert judge(wrapped(error)) is verdict


def test_a_value_that_the_driver_refuses_is_data_and_a_lost_connection_weather() -> None:
    def raised_from(cause: Exception) -> DBAPIError:
        orig = Exception("translated")
        orig.__cause__ = cause
        return DBAPIError("SELECT", {}, orig)

    assert judge(raised_from(ValueError("an int is needed"))) is Verdict.DATA
    assert judge(raised_from(asyncpg.InterfaceError("connection is closed"))) is Verdict.WEATHER
    assert judge(raised_from(KeyError("x"))) is Verdict.BUG


def test_a_dead_letter_always_fits_into_kafka() -> None:
    huge = Record("t", 0, 0, b"k" * 5_000_000, None, (("h", b"x" * 5_000_000),), 0)

    letter = dead_letter(huge, Refused(Reason.TOO_LARGE, "x" * 9_999), service="s", now=NOW)

    assert len(letter.key or b"") == 16 * 1024
    assert sum(len(content or b"") for _, content in letter.headers) < 1_000


def test_a_dead_letter_keeps_the_record_and_says_why() -> None:
    refused = Refused(Reason.MISSING_FIELD, "id is missing", "id")

    letter = dead_letter(record(b"{}"), refused, service="scoring", now=NOW)

    headers = dict(letter.headers)
    assert (letter.topic, letter.key, letter.value) == ("dead-letters", b"key", b"{}")
    assert headers == {
        "trace": b"x",
        "earshot-topic": b"survey-responses",
        "earshot-partition": b"3",
        "earshot-offset": b"7",
        "earshot-service": b"scoring",
        "earshot-reason": b"missing-field",
        "earshot-detail": b"id is missing",
        "earshot-field": b"id",
        "earshot-failed-at": b"2026-11-21T00:00:00.000000Z",
        "earshot-failures": b"1",
        "earshot-timestamp": b"0",
    }


def test_a_long_value_is_cut_and_says_how_long_it_was() -> None:
    value = b"x" * (KEPT_BYTES + 1)

    letter = dead_letter(record(value), Refused(Reason.TOO_LARGE, ""), service="s", now=NOW)

    assert len(letter.value or b"") == KEPT_BYTES
    assert dict(letter.headers)["earshot-truncated-from"] == b"%d" % len(value)


def test_a_topic_of_which_most_is_refused_trips_and_is_cleared() -> None:
    gauge = PoisonGauge()
    for _ in range(100):
        gauge.decoded("t", poison=True)
        gauge.decoded("u", poison=False)
    assert gauge.tripped == set()

    gauge.decoded("t", poison=True)
    assert gauge.tripped == {"t"}

    gauge.clear("t")
    assert gauge.tripped == set()


def test_what_left_the_window_of_200_no_longer_counts() -> None:
    gauge = PoisonGauge()
    for number in range(1_000):
        gauge.decoded("t", poison=number % 2 == 0)

    assert gauge.tripped == set()


def test_records_that_decode_but_cannot_be_processed_trip_a_topic_too() -> None:
    gauge = PoisonGauge()
    good = [record(b"")._replace(topic="t")] * 300
    gauge.handled(good)
    for _ in range(100):
        gauge.buried("t")
    assert gauge.tripped == set()

    gauge.buried("t")

    assert gauge.tripped == {"t"}


RESPONSE = (
    b'{"id":"r-1","submission_id":"r-1","metric":"nps","scale":[0,10],"answers":{"score":9},'
    b'"answered_at":"2026-11-21T10:00:00Z","received_at":"2026-11-21T10:00:00Z","new_field":1}'
)


def test_readers_ignore_unknown_fields() -> None:
    assert decode_record(decoder(SurveyResponse), RESPONSE).answers.score == 9


@pytest.mark.parametrize(
    ("value", "reason", "field"),
    [
        (None, Reason.BAD_JSON, ""),
        (b"\xff{", Reason.BAD_UTF8, ""),
        (RESPONSE.replace(b'"r-1"', b'"\xff"'), Reason.BAD_UTF8, ""),
        (RESPONSE.replace(b'"metric":"nps",', b""), Reason.MISSING_FIELD, "metric"),
        (RESPONSE.replace(b'{"score":9}', b"{}"), Reason.MISSING_FIELD, "answers.score"),
        (RESPONSE.replace(b":9}", b':"9"}'), Reason.WRONG_TYPE, "answers.score"),
        (RESPONSE.replace(b"2026-11-21T10:00:00Z", b"later"), Reason.WRONG_TYPE, "answered_at"),
    ],
)
def test_required_fields_are_strict_and_named(
    value: bytes | None, reason: Reason, field: str
) -> None:
    with pytest.raises(Refused) as refused:
        decode_record(decoder(SurveyResponse), value)

    assert (refused.value.reason, refused.value.field) == (reason, field)
    assert '"9"' not in refused.value.detail
