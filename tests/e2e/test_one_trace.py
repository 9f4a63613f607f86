"""From the event to the score is one trace, across four services and four topics."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from tests.support.asked import call_ended, link_in, mail_to
from tests.support.collector import Collector, Told, open_collector
from tests.support.system import open_system

pytestmark = pytest.mark.system

TRACE = "0af7651916cd43dd8448eb211c80319c"
FOLLOWED = f"00-{TRACE}-b7ad6b7169203331-01"
EVENT = ("earshot-ingest", "POST /v1/events")
DECIDED = ("earshot-trigger", "support-calls process")
SENT = ("earshot-trigger", "send email")
INVITED = ("earshot-scoring", "survey-invitations process")
ANSWERED = ("earshot-ingest", "survey-responses publish")
SCORED = ("earshot-scoring", "survey-responses process")
JUDGED = ("earshot-alerts", "scored-responses process")
# who comes after whom
AFTER = {DECIDED: EVENT, SENT: DECIDED, INVITED: DECIDED, ANSWERED: DECIDED, SCORED: ANSWERED,
         JUDGED: SCORED}  # fmt: skip


async def test_an_answer_stands_in_the_trace_of_its_event(tmp_path: Path) -> None:
    with open_collector() as collector:
        settings = {"EARSHOT_TRACES_URL": collector.url, "EARSHOT_TRACES_SHARE": "0"}
        async with open_system(tmp_path / "var", **settings) as system:
            await system.start()
            url = f"{system.urls['ingest']}/v1/events"
            headers = {"content-type": "application/cloudevents+json", "traceparent": FOLLOWED}
            await system.http.post(url, json=call_ended(1), headers=headers)
            await system.post("ingest", "/v1/events", call_ended(2))  # in no trace
            mails = await mail_to(system, 2)
            for message in mails:
                page = f"{system.urls['ingest']}{link_in(message)}"
                reply = await system.http.post(page, data={"score": "2"})
                assert reply.status_code == httpx.codes.SEE_OTHER
            spans = await settled(collector)
            log = system.log()

    for one, before in AFTER.items():
        # a later state of the invitation tells the score once more
        parents = {span.span_id for span in spans[before]}
        assert parents & {span.parent_id for span in spans[one]}, one
    assert {span.trace_id for span in collector.spans} == {TRACE}
    assert f'"trace_id": "{TRACE}"' in log


async def settled(collector: Collector) -> Mapping[tuple[str, str], list[Told]]:
    """The trace's spans, once all are told: each service tells every few seconds."""
    async with asyncio.timeout(30):
        while not set(AFTER) | {EVENT} <= set(collector.of(TRACE)):
            await asyncio.sleep(0.1)
    return collector.of(TRACE)
