"""A submission in its three forms: what becomes a record, and what each fault says."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.ingest.domain.catalogue import Asked
from services.ingest.domain.submissions import Receipt, Ticket, answer_by_id, answer_by_ticket
from shared.errors import Invalid
from shared.events import SurveyResponse

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
RECEIPT = Receipt(NOW, "api")
CALL = Asked("post-call", "csat", (1, 5))
CATALOGUE = {"post-call": CALL, "post-delivery": Asked("post-delivery", "nps", (0, 10))}
TICKET = Ticket("i-abc", CALL, "de")


def given(**changes: Any) -> dict[str, Any]:
    body = {"id": "r-1", "survey": "post-call", "answers": {"score": 2}}
    return {key: value for key, value in (body | changes).items() if value is not ...}


def read(**changes: Any) -> SurveyResponse:
    return answer_by_id(given(**changes), CATALOGUE, RECEIPT)


def faults(**changes: Any) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as refused:
        read(**changes)
    return [(fault.field, fault.code) for fault in refused.value.errors]


def test_an_uninvited_answer_keeps_its_own_id() -> None:
    record = read(
        segments={"region": " EU\u00a0 West ", "queue": ""}, touchpoint="call", metric=...
    )

    assert (record.id, record.submission_id, record.invitation_id) == ("r-1", "r-1", None)
    assert (record.survey, record.metric, record.scale) == ("post-call", "csat", (1, 5))
    assert record.segments == {"region": "EU West"}
    assert record.answered_at == record.received_at == NOW
    assert record.channel == "api"


def test_an_invited_answer_has_its_invitations_id() -> None:
    record = read(invitation_id="i-abc")

    assert (record.id, record.submission_id, record.invitation_id) == ("i-abc", "r-1", "i-abc")


def test_an_invited_answer_needs_no_id_of_its_own() -> None:
    record = read(id=..., invitation_id="i-abc")

    assert (record.id, record.submission_id) == ("i-abc", "i-abc")


def test_a_ticket_says_survey_language_and_id() -> None:
    body = {"token": "t", "id": "mine", "answers": {"score": 5, "reasons": ["a", " a ", ""]}}

    record = answer_by_ticket(body, TICKET, Receipt(NOW, "web"))

    assert (record.id, record.submission_id, record.invitation_id) == ("i-abc", "mine", "i-abc")
    assert (record.survey, record.language, record.channel) == ("post-call", "de", "web")
    assert record.answers.reasons == ("a",)


@pytest.mark.parametrize(
    ("metric", "scale_max", "scale"),
    [
        ("nps", None, (0, 10)),
        ("csat", None, (1, 5)),
        ("csat", 10, (1, 10)),
        ("csat", 10.0, (1, 10)),
        ("ces", 7, (1, 7)),
    ],
)
def test_by_metric_alone_the_scale_follows(
    metric: str, scale_max: float | None, scale: tuple[int, int]
) -> None:
    record = read(survey=..., metric=metric, scale_max=scale_max)

    assert (record.survey, record.metric, record.scale) == (None, metric, scale)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"id": ...}, [("id", "missing-field")]),
        ({"id": 7}, [("id", "wrong-type")]),
        ({"id": "  "}, [("id", "out-of-range")]),
        ({"id": "a\x00b"}, [("id", "out-of-range")]),
        ({"id": "x" * 201}, [("id", "too-large")]),
        ({"survey": ...}, [("survey", "missing-field")]),
        ({"survey": "post-cal"}, [("survey", "unknown-survey")]),
        ({"survey": ..., "metric": "npx"}, [("metric", "out-of-range")]),
        ({"survey": ..., "metric": "nps", "scale_max": 5}, [("scale_max", "out-of-range")]),
        ({"survey": ..., "metric": "csat", "scale_max": "5"}, [("scale_max", "wrong-type")]),
        ({"metric": "nps"}, [("metric", "out-of-range")]),
        ({"scale_max": 10}, [("scale_max", "out-of-range")]),
        ({"invitation_id": "i-1", "survey": ..., "metric": "nps"}, [("survey", "missing-field")]),
        ({"answers": ...}, [("answers", "missing-field")]),
        ({"answers": 5}, [("answers", "wrong-type")]),
        ({"answers": {}}, [("answers.score", "missing-field")]),
        ({"answers": {"score": True}}, [("answers.score", "wrong-type")]),
        ({"answers": {"score": "5"}}, [("answers.score", "wrong-type")]),
        ({"answers": {"score": 2.5}}, [("answers.score", "wrong-type")]),
        ({"answers": {"score": 0}}, [("answers.score", "out-of-range")]),
        ({"answers": {"score": 10**30}}, [("answers.score", "out-of-range")]),
        ({"answers": {"score": 2, "reasons": "late"}}, [("answers.reasons", "wrong-type")]),
        ({"answers": {"score": 2, "reasons": [1]}}, [("answers.reasons[0]", "wrong-type")]),
        ({"answers": {"score": 2, "reasons": ["x"] * 21}}, [("answers.reasons", "too-large")]),
        ({"answers": {"score": 2, "reasons": ["x" * 101]}}, [("answers.reasons[0]", "too-large")]),
        ({"answers": {"score": 2, "comment": ["x"]}}, [("answers.comment", "wrong-type")]),
        ({"answers": {"score": 2, "comment": "x" * 10_001}}, [("answers.comment", "too-large")]),
        ({"answers": {"score": 2, "comments": "x"}}, [("answers.comments", "unknown-field")]),
        ({"segments": []}, [("segments", "wrong-type")]),
        ({"segments": {"a": 1.5}}, [("segments.a", "wrong-type")]),
        ({"segments": {"a": True}}, [("segments.a", "wrong-type")]),
        ({"segments": {"a": "x" * 101}}, [("segments.a", "too-large")]),
        ({"segments": dict.fromkeys(map(str, range(51)), "x")}, [("segments", "too-large")]),
        ({"customer_id": 5}, [("customer_id", "wrong-type")]),
        ({"touchpoint": {}}, [("touchpoint", "wrong-type")]),
        ({"language": "deutsch und mehr"}, [("language", "out-of-range")]),
        ({"language": 1}, [("language", "wrong-type")]),
        ({"answered_at": "yesterday"}, [("answered_at", "wrong-type")]),
        ({"answered_at": "2026-11-21T10:00:00"}, [("answered_at", "wrong-type")]),
        ({"answered_at": 1_700_000_000}, [("answered_at", "wrong-type")]),
        ({"answered_at": "0001-01-01T00:00:00+05:00"}, [("answered_at", "wrong-type")]),
        ({"answered_at": "1969-12-31T23:59:59Z"}, [("answered_at", "out-of-range")]),
        ({"answered_at": "2026-11-21T12:05:01Z"}, [("answered_at", "out-of-range")]),
        ({"answer": {"score": 1}}, [("answer", "unknown-field")]),
        ({"token": "t"}, [("token", "unknown-field")]),
    ],
)
def test_each_fault_names_its_field(
    changes: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert faults(**changes) == expected


def test_all_faults_are_named_at_once() -> None:
    found = faults(id=..., answers={"score": 9}, language=3, zzz=1)

    assert {field for field, _ in found} == {"id", "answers.score", "language", "zzz"}


def test_a_misspelt_field_is_offered_its_name() -> None:
    with pytest.raises(Invalid) as refused:
        read(anwered_at="2026-11-21T10:00:00Z")

    assert refused.value.errors[0].accepted == "did you mean answered_at?"


def test_a_score_out_of_range_names_the_scale() -> None:
    with pytest.raises(Invalid, match="a whole number from 1 to 5"):
        read(answers={"score": 11})


def test_a_ticket_is_not_told_about_segments() -> None:
    with pytest.raises(Invalid) as refused:
        answer_by_ticket(
            {"token": "t", "answers": {"score": 1}, "segments": {"region": "EU"}}, TICKET, RECEIPT
        )

    assert [fault.field for fault in refused.value.errors] == ["segments"]


def test_texts_lose_control_characters_but_keep_lines() -> None:
    record = read(
        answers={"score": 1, "comment": " a\x00b\x07\r\nc\td\x85\ud7ff "}, touchpoint="\x00"
    )

    assert record.answers.comment == "ab\nc\td\ud7ff"
    assert record.touchpoint is None


def test_answered_at_is_kept_in_utc_to_the_microsecond() -> None:
    record = read(answered_at="2026-11-21T12:04:59.123456+00:01")

    assert record.answered_at == datetime(2026, 11, 21, 12, 3, 59, 123456, tzinfo=UTC)
    assert record.received_at == NOW


def test_five_minutes_ahead_is_still_taken() -> None:
    assert read(answered_at="2026-11-21T12:05:00Z").answered_at == NOW + timedelta(minutes=5)


def test_nulls_are_absent() -> None:
    names = ("metric", "scale_max", "segments", "customer_id", "touchpoint", "answered_at")
    record = read(**dict.fromkeys(names), answers={"score": 2, "reasons": None, "comment": None})

    assert record == read()


@pytest.mark.parametrize("body", [None, 5, "text", [], [1]])
def test_what_is_no_object_is_refused(body: Any) -> None:
    with pytest.raises(Invalid):
        answer_by_id(body, CATALOGUE, RECEIPT)
