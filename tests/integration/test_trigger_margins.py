"""Margins from trigger's tables, and who is asked by them."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.consumer import Intake, build_handle, read_answer
from services.trigger.domain.precision import Heard, margin_of
from services.trigger.store.counting import begin_counting
from services.trigger.store.margins import read_heard, read_margins
from shared.events import SurveyDecision, Topic
from shared.programme.metrics import METRICS
from shared.stream.records import Decoded, Record
from shared.tally import Tally
from shared.wire import decoder, encode
from tests.support.answered import CLASSES, PAIRS, answer, ask, hear, uncounted
from tests.support.trigger import CHANNELS, NOW, arrival, call_ended, later, programme
from tests.support.trigger_rig import Topics


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with uncounted(database_url) as engine:
        yield engine


async def test_a_margin_stands_on_the_answers_of_the_period_and_on_those_to_come(
    engine: AsyncEngine,
) -> None:
    trigger = {"target_margin": 5.0, "target_by": "region", "target_per": timedelta(days=30)}
    sampled = programme(trigger=trigger)
    await begin_counting(engine, PAIRS)
    await ask(engine, [f"i-{n}" for n in range(400)], "EU", later(days=-20))
    await ask(engine, [f"j-{n}" for n in range(100)], "EU", later(hours=-12))
    heard = [
        answer(n, score=5 if n % 2 else 1, klass=CLASSES[n % 2 * -1], invitation_id=f"i-{n}",
               answered_at=later(days=-20, hours=2))
        for n in range(200)
    ]  # fmt: skip
    await hear(engine, *heard, answer(999, answered_at=later(days=-31)))
    wanted = [("after-call", "EU"), ("after-call", ""), ("after-call", "US"), ("other", "EU")]

    async with engine.connect() as connection:
        found = await read_heard(connection, wanted, sampled, NOW)
        margins = await read_margins(connection, wanted, sampled, NOW)
        nothing = await read_margins(connection, wanted, programme(), NOW)

    assert nothing == {}
    assert set(found) == set(wanted[:3])
    tally = Tally(100, 0, 100, 600, 2_600, distribution=None)
    assert found["after-call", "EU"].tally == found["after-call", ""].tally == tally
    assert found["after-call", "US"] == Heard(Tally(distribution=None))
    # half of them answer, within hours: few of those asked this morning are to come
    assert 0 < found["after-call", "EU"].waiting < 0.5 * 100 * 0.6
    assert margins == {key: margin_of(one, METRICS[1], 5.0) for key, one in found.items()}
    assert margins["after-call", "US"].share == 1
    assert margins["after-call", "EU"].n == 200


async def test_who_is_asked_follows_what_is_heard(engine: AsyncEngine) -> None:
    sampled = programme(trigger={"target_margin": 20.0, "target_by": "region"})
    topics = Topics()
    handle = build_handle(Intake(sampled, CHANNELS, topics, lambda: NOW))
    await begin_counting(engine, PAIRS)
    said = [answer(n, answered_at=later(days=400), scored_at=later(hours=-1)) for n in range(20)]
    records = [Record(Topic.SCORED_RESPONSES, 0, n, None, encode(one), (), 0)
               for n, one in enumerate(said)]  # fmt: skip
    events = [
        arrival(call_ended(n, customer={"id": f"c-{n}"}, segments={"region": region}))
        for n, region in enumerate(("EU", "US"))
    ]

    async with engine.begin() as connection:
        heard = [Decoded(record, read_answer(record)) for record in records]
        await handle([*heard, *(Decoded(records[0], event) for event in events)], connection)

    told = [decoder(SurveyDecision).decode(record.value or b"") for record in topics.records]
    reasons = {one.segments["region"]: one.reason for one in told}
    assert reasons == {"EU": "sampled-enough", "US": "asked"}
    async with engine.connect() as connection:
        asks = await connection.execute(sa.text("SELECT value, asked FROM ask_counts ORDER BY 1"))
        assert [tuple(row) for row in asks] == [("", 1), ("US", 1)]
