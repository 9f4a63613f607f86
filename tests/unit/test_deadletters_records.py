"""A record survives being a dead letter, whatever it is made of; so does how often it failed."""

from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Reason, Refused
from shared.stream import Record
from shared.stream.deadletter import KEPT_BYTES, dead_letter, is_replay
from shared.stream.letters import (
    LetterId,
    marks,
    read_letter,
    read_mark,
    replay,
    why_not_replayed,
)
from tests.support.letters import NOW, RESPONSES, as_record, failed

contents = st.none() | st.binary(max_size=20)
letters = st.characters(exclude_categories=["Cs"])
names = st.text(letters, max_size=8).filter(lambda name: not name.startswith("earshot-"))
ids = st.builds(LetterId, st.integers(0, 3), st.integers(0, 200))


@given(contents, contents, st.lists(st.tuples(names, contents), max_size=4).map(tuple))
def test_key_value_and_headers_come_back_as_they_were(
    key: bytes | None, value: bytes | None, headers: tuple[tuple[str, bytes | None], ...]
) -> None:
    letter = read_letter(as_record(failed(value, key=key, headers=headers), 3, 17))

    sent = replay(letter)

    assert (sent.topic, sent.key, sent.value) == (RESPONSES, key, value)
    assert sent.headers[: len(headers)] == headers
    assert sent.headers[len(headers) :] == (
        ("earshot-replay-of", b"3@17"),
        ("earshot-failures", b"1"),
        ("earshot-timestamp", b"1763694000000"),
    )
    assert why_not_replayed(letter) is None


def test_a_letter_says_why_where_and_when() -> None:
    letter = read_letter(as_record(failed(reason=Reason.MISSING_FIELD, detail="id is missing")))

    assert (letter.service, letter.reason, letter.detail) == (
        "scoring",
        "missing-field",
        "id is missing",
    )
    assert (letter.topic, letter.partition, letter.offset) == (RESPONSES, 3, 7)
    assert (letter.field, letter.failed_at) == ("id", "2026-11-21T03:00:00.000000Z")
    assert (letter.failures, letter.replay_of, letter.timestamp_ms) == (1, "", 1_763_694_000_000)


def test_a_replay_that_fails_again_says_how_often_and_of_what_it_came() -> None:
    first = read_letter(as_record(failed(), 3, 17))
    back = as_record(replay(first), 5, 99)._replace(topic=RESPONSES, timestamp_ms=9)
    assert is_replay(back)

    why = Refused(Reason.DATABASE, "IntegrityError while it was processed")
    second = read_letter(as_record(dead_letter(back, why, service="scoring", now=NOW), 3, 40))
    again = as_record(replay(second), 5, 120)._replace(topic=RESPONSES)
    third = read_letter(as_record(dead_letter(again, why, service="scoring", now=NOW), 3, 50))

    assert (second.failures, second.replay_of, second.reason) == (2, "3@17", "database")
    assert (third.failures, third.replay_of) == (3, "3@40")
    assert (third.partition, third.offset) == (5, 120)
    assert third.timestamp_ms == first.timestamp_ms
    assert third.headers == first.headers == ()


def test_what_was_cut_cannot_be_replayed_and_is_named() -> None:
    long = failed(b"x" * (KEPT_BYTES + 1), key=b"k" * 20_000, headers=(("h", b"x" * 70_000),))
    letter = read_letter(as_record(long))

    assert letter.cut == (("value", KEPT_BYTES + 1), ("key", 20_000), ("headers", 70_001))
    assert why_not_replayed(letter) == (
        "its value and key and headers could not be kept whole, being too long"
    )
    for whole in (failed(b"x" * KEPT_BYTES), failed(key=b"k" * 16_384)):
        assert why_not_replayed(read_letter(as_record(whole))) is None


def test_only_topics_of_ours_are_written_to() -> None:
    for topic in ("dead-letters", "somebody-elses", ""):
        assert why_not_replayed(read_letter(as_record(failed(topic=topic)))) is not None


def test_whatever_stands_in_the_topic_can_be_read() -> None:
    headers = tuple(
        (f"earshot-{name}", content)
        for name in ("topic", "offset", "reason", "failures", "timestamp", "truncated-from")
        for content in (None, b"\xff", b"-1", b"9" * 40)
    )

    letter = read_letter(Record("dead-letters", 0, 1, None, None, headers, 0))

    assert (letter.offset, letter.failures, letter.timestamp_ms) == (0, 1, 0)
    assert why_not_replayed(letter) is not None
    assert read_letter(Record("dead-letters", 0, 1, None, None, (), 0)).reason == ""


def test_headers_that_a_stranger_sent_do_not_swell_a_letter() -> None:
    stranger = (("earshot-replay-of", b"x" * 99_999), ("earshot-timestamp", b"9" * 99_999))

    letter = failed(headers=stranger)

    assert sum(len(content or b"") for _, content in letter.headers) < 400


@given(st.sets(ids, max_size=60))
def test_marks_name_exactly_what_was_replayed_each_in_its_partition(
    replayed: set[LetterId],
) -> None:
    found = set()
    for sent in marks(replayed):
        record = as_record(sent)
        for span in read_mark(record) or ():
            found |= {LetterId(record.partition, offset) for offset in span}

    assert found == replayed


def test_500_letters_in_a_row_are_a_short_mark() -> None:
    (mark,) = marks(LetterId(2, offset) for offset in range(1_000_000, 1_000_500))

    assert mark.headers == (("earshot-replayed", b"1000000-1000499"),)
    assert mark.partition == 2


def test_a_mark_that_is_none_marks_nothing() -> None:
    for text in (None, b"", b"x", b"1-", b"1,,2", b"-3", b"1-2-3"):
        record = Record("dead-letters", 0, 0, None, b"", (("earshot-replayed", text),), 0)
        assert read_mark(record) == []
    assert read_mark(as_record(failed())) is None
