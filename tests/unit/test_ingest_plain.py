"""The short way and the thorough one agree, and nothing that comes makes either of them break."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.domain.catalogue import Asked
from services.ingest.domain.plain import read_plain
from services.ingest.domain.submissions import ALL_FIELDS, Receipt, answer_by_id
from shared.errors import Invalid
from shared.events import SurveyResponse
from shared.wire import encode

RECEIPT = Receipt(datetime(2026, 11, 21, 12, 0, tzinfo=UTC), "api")
CATALOGUE = {"post-call": Asked("post-call", "csat", (1, 5))}

characters = st.characters(codec="utf-8")
texts = st.text(characters, max_size=12) | st.sampled_from(
    ["post-call", "nps", "csat", "de-AT", "i-1", " a", "a  b", "2026-11-21T10:00:00Z", "x" * 101]
)
scalars = st.none() | st.booleans() | st.integers(-3, 12) | st.floats(allow_nan=False) | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
answers = st.fixed_dictionaries(
    {"score": st.integers(0, 6) | scalars},
    optional={"reasons": st.lists(texts, max_size=4) | values, "comment": texts | values},
)
likely = st.fixed_dictionaries(
    {"id": texts, "answers": answers},
    optional={
        "survey": st.just("post-call") | texts,
        "metric": st.sampled_from(["nps", "csat", "ces"]) | texts,
        "scale_max": st.integers(4, 11) | scalars,
        "invitation_id": texts,
        "segments": st.dictionaries(texts, texts | st.integers(), max_size=4),
        "customer_id": texts,
        "touchpoint": texts,
        "language": texts,
        "channel": texts,
        "answered_at": st.datetimes(
            min_value=datetime(1960, 1, 1),  # noqa: DTZ001 - hypothesis wants them naive
            max_value=datetime(2030, 1, 1),  # noqa: DTZ001
        ).map(lambda moment: f"{moment.isoformat()}Z"),
    },
)
unlikely = st.dictionaries(st.sampled_from(sorted(ALL_FIELDS)) | texts, values, max_size=6)


def thorough(body: Any) -> SurveyResponse | None:
    try:
        return answer_by_id(body, CATALOGUE, RECEIPT)
    except Invalid as refused:
        problem = refused
    assert problem.errors
    assert msgspec.json.encode(problem.problem())
    return None


@settings(max_examples=250)
@given(likely | unlikely)
def test_the_short_way_says_the_same_or_nothing(body: Any) -> None:
    encoded = msgspec.json.encode(body)

    short = read_plain(encoded, CATALOGUE, RECEIPT)

    full = thorough(msgspec.json.decode(encoded))
    assert short is None or short == full
    if full is not None:
        assert msgspec.json.decode(encode(full), type=SurveyResponse) == full


def test_the_ordinary_submission_goes_the_short_way() -> None:
    body = {
        "id": "r-1",
        "survey": "post-call",
        "segments": {"region": "EU", "queue": "billing"},
        "answers": {"score": 2, "reasons": ["waiting-time"], "comment": "two\nlines"},
        "answered_at": "2026-11-21T11:02:03Z",
        "language": "de",
    }

    assert read_plain(msgspec.json.encode(body), CATALOGUE, RECEIPT) is not None


@settings(max_examples=200)
@given(values)
def test_nothing_breaks_the_thorough_way(body: Any) -> None:
    thorough(body)


@settings(max_examples=100)
@given(st.binary(max_size=40))
def test_bytes_that_are_no_submission_are_left_to_the_thorough_way(body: bytes) -> None:
    assert read_plain(body, CATALOGUE, RECEIPT) is None
