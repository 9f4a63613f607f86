"""A record that belongs to a trace is followed through its batch, and what comes of it follows."""

from collections.abc import Sequence

import pytest
from opentelemetry.trace import StatusCode
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.stream import Decoded
from shared.stream.traced import trace_in
from tests.support.spans import Spans, parent_id, span_id, trace_id
from tests.support.stream import TOPIC, Rig, engine, eventually, module_database_url, write

__all__ = ["engine", "module_database_url"]

FOLLOWED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
HEADERS = (("traceparent", FOLLOWED.encode()),)


@pytest.fixture
def spans() -> Spans:
    return Spans()


@pytest.fixture
def rig(engine: AsyncEngine, spans: Spans) -> Rig:
    return Rig(engine, traces=spans.traces)


async def test_what_a_handler_passes_on_comes_after_the_record(rig: Rig, spans: Spans) -> None:
    seen: list[str | None] = []

    async def handle(items: Sequence[Decoded], connection: AsyncConnection) -> None:
        seen.extend(trace_in(item.record.headers) for item in items)
        await write(items, connection)

    rig.handle = handle
    rig.source.append(TOPIC, b"a", headers=HEADERS)
    rig.source.append(TOPIC, b"b")
    async with rig.running():
        await rig.until(2)
        await eventually(lambda: spans.ended)

    (span,) = spans.ended
    assert (span.name, trace_id(span)) == (f"{TOPIC} process", FOLLOWED[3:35])
    assert parent_id(span) == FOLLOWED[36:52]
    assert seen == [f"00-{FOLLOWED[3:35]}-{span_id(span)}-01", None]
    (line,) = [line for line in rig.logs if line["event"] == "record settled"]
    assert (line["trace_id"], line["outcome"]) == (FOLLOWED[3:35], "ok")


async def test_poison_is_seen_in_its_trace(rig: Rig, spans: Spans) -> None:
    rig.source.append(TOPIC, b"poison", headers=HEADERS)
    rig.source.append(TOPIC, b"a")
    async with rig.running():
        await rig.until(1)
        await eventually(lambda: spans.ended)

    (span,) = spans.ended
    assert span.status.status_code is StatusCode.ERROR
    (letter,) = rig.producer.sent
    assert (trace_in(letter.headers) or "")[:35] == FOLLOWED[:35]


async def test_a_batch_that_is_tried_again_is_one_span(rig: Rig, spans: Spans) -> None:
    rig.source.append(TOPIC, b"bug", headers=HEADERS)  # halved, then buried
    rig.source.append(TOPIC, b"a", headers=HEADERS)
    async with rig.running():
        await rig.until(1)
        await eventually(lambda: len(spans.ended) == 2)

    ends = {(span.attributes or {})["messaging.kafka.offset"]: span for span in spans.ended}
    assert ends[0].status.status_code is StatusCode.ERROR
    assert ends[1].status.status_code is StatusCode.UNSET


async def test_what_another_owner_has_moved_is_not_said_to_be_settled(
    rig: Rig, spans: Spans
) -> None:
    rig.source.append(TOPIC, b"a")
    async with rig.running():
        await rig.until(1)
        await rig.execute("UPDATE offsets SET next = next + 1 WHERE partition = 0")
        rig.source.append(TOPIC, b"another's", headers=HEADERS)
        await eventually(lambda: spans.ended)

    (span,) = spans.ended
    assert span.status.status_code is StatusCode.ERROR
    assert not [line for line in rig.logs if line["event"] == "record settled"]
