"""Which traces are followed, and how one is handed on."""

import time
from datetime import UTC, datetime

import pytest
from opentelemetry.trace import StatusCode

from shared.settings import Settings
from shared.tokens import Tokens
from shared.traces import (
    UNTRACED,
    Traces,
    is_followed,
    open_traces,
    read_traceparent,
    traceparent_of,
    within,
)
from tests.support.spans import Spans, parent_id, trace_id

FOLLOWED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNFOLLOWED = f"{FOLLOWED[:-2]}00"
LATER = datetime(2027, 1, 1, tzinfo=UTC)


def test_a_span_comes_after_the_one_it_was_handed() -> None:
    spans = Spans()
    span = spans.traces.begin("settle", FOLLOWED)
    assert span is not None
    span.end()

    (ended,) = spans.ended
    assert trace_id(ended) == FOLLOWED[3:35]
    assert parent_id(ended) == FOLLOWED[36:52]
    assert read_traceparent(traceparent_of(span)) is not None


@pytest.mark.parametrize("parent", [UNFOLLOWED, None, "", "00-abc-def-01", FOLLOWED[:-1]])
def test_what_nobody_asked_to_follow_has_no_span(parent: str | None) -> None:
    assert Spans(share=0.0).traces.begin("settle", parent) is None


def test_a_caller_who_wants_no_trace_is_not_overruled() -> None:
    assert Spans(share=1.0).traces.begin("settle", UNFOLLOWED) is None


def test_a_share_of_what_comes_without_a_trace_is_followed() -> None:
    traces = Spans(share=0.2).traces
    begun = sum(traces.begin("settle") is not None for _ in range(2_000))

    assert 300 < begun < 500  # 200 times 2,000 draws: beyond this once in 10 billion


@pytest.mark.parametrize(
    "bad",
    [
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        FOLLOWED.upper(),
        FOLLOWED + "-x",
        "01" + FOLLOWED[2:],
    ],
)
def test_what_is_no_traceparent_is_as_good_as_none(bad: str) -> None:
    assert read_traceparent(bad) is None
    assert not is_followed(bad)


async def test_without_a_collector_nothing_is_traced() -> None:
    async with open_traces(Settings(kafka_bootstrap="x"), "scoring") as traces:
        assert traces is UNTRACED
        assert traces.begin("settle", FOLLOWED) is None


async def test_a_collector_that_is_away_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.traces._LEAVE_S", 0.1)
    started = time.monotonic()
    settings = Settings(kafka_bootstrap="x", traces_url="http://127.0.0.1:9", traces_share=1)

    async with open_traces(settings, "scoring") as traces:
        span = traces.begin("settle")
        assert span is not None
        span.end()

    assert time.monotonic() - started < 3


def test_a_link_carries_the_trace_of_its_invitation() -> None:
    tokens = Tokens(["k" * 16])
    with_trace = tokens.survey("i-1", "post-call", "de", LATER, FOLLOWED)

    assert tokens.read_survey(with_trace).trace == FOLLOWED
    assert tokens.read_survey(tokens.survey("i-1", "post-call", "de", LATER)).trace is None


def test_no_tracer_begins_no_span() -> None:
    assert Traces(None, share=1.0).begin("settle", FOLLOWED) is None


def test_a_fault_is_told_by_its_kind_and_not_by_its_words() -> None:
    spans = Spans()
    span = spans.traces.begin("settle", FOLLOWED)
    assert span is not None

    with pytest.raises(ValueError, match="anna"), within(span):
        raise ValueError("anna@example.org is there already")

    (ended,) = spans.ended
    assert (ended.status.status_code, ended.status.description) == (StatusCode.ERROR, "ValueError")
    assert "anna" not in ended.to_json()
