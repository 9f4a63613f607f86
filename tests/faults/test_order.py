"""G5: whatever order the same records come in, the counts end alike, to the last row."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from services.scoring.tables import SUMS
from shared.events import SurveyResponse, Topic
from shared.stream import Outgoing
from shared.stream.kafka import open_producer
from shared.wire import encode
from tests.faults.conftest import Say
from tests.support.fleet import Fleet, open_fleet
from tests.support.ground import Ground
from tests.support.load import write_programme
from tests.support.scoring import response
from tests.support.scoring_history import history, recount
from tests.support.tally import connect, until_settled

IDS = 3_000
TIES = 200
TIED = "ties"
SEGMENTS = """\
dimensions:
  region: {}
  product: {}
  channel: {}
  touchpoint: {from: touchpoint}
pairs: [[region, product]]
"""
COUNTS = (
    'SELECT s.metric, s.scale, s.survey, s.slice, s."values", c.*'
    f" FROM scoring.counts c JOIN scoring.series s ON s.id = c.series"
    f" WHERE ({', '.join(f'c.{name}' for name in SUMS)}) <> ({', '.join('0' for _ in SUMS)})"
    " ORDER BY c.series, c.hour"
)
ANSWERS = "SELECT * FROM scoring.answers ORDER BY id"


@pytest.fixture(scope="session")
def told_apart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_programme(tmp_path_factory.mktemp("order") / "programme")
    (folder / "segments.yaml").write_text(SEGMENTS)
    return folder


def moved(value: Any, luck: Random) -> Any:
    """One answer in ten is late by a day, one in ten from the coming hour."""
    if not isinstance(value, SurveyResponse) or luck.random() > 0.2:
        return value
    at = value.answered_at - timedelta(days=1)
    if luck.random() < 0.5:
        ahead = datetime.fromtimestamp(int(time.time()) + 3600, UTC)
        at = ahead.replace(microsecond=value.answered_at.microsecond)
    return msgspec.structs.replace(value, answered_at=at)


def tied(luck: Random) -> list[Any]:
    """Amendments at the very moment of what they amend: their content alone says which wins."""
    return [
        response(f"t-{number}", luck.randint(1, 7), metric="ces", survey=TIED)
        for number in range(TIES)
        for _ in range(3)
    ]


@dataclass(frozen=True)
class End:
    """Every row that a run of the records ended with."""

    counts: list[Any]
    answers: list[Any]

    def cells(self) -> dict[Any, int]:
        """As `recount` says it, without what only the content decides."""
        return {
            (metric, survey, names, tuple(values), hour, name): sum_
            for metric, _, survey, names, values, _, hour, *sums in self.counts
            for name, sum_ in zip(SUMS, sums, strict=True)
            if sum_ and survey != TIED
        }


async def read_end(fleet: Fleet) -> End:
    connection = await connect(fleet.database_url)
    try:
        counts = await connection.fetch(COUNTS)
        answers = await connection.fetch(ANSWERS)
    finally:
        await connection.close()
    return End([tuple(row) for row in counts], [tuple(row) for row in answers])


def outgoing(value: Any, key: str) -> Outgoing:
    is_reply = isinstance(value, SurveyResponse)
    topic = Topic.SURVEY_RESPONSES if is_reply else Topic.SURVEY_INVITATIONS
    return Outgoing(topic, key.encode(), encode(value))


async def play(fleet: Fleet, parts: Sequence[Sequence[Outgoing]]) -> End:
    """Each part is settled before the next is written."""
    async with open_producer(fleet.broker) as producer:
        for part in parts:
            for first in range(0, len(part), 1_000):
                await producer.send(part[first : first + 1_000])
            for topic in (Topic.SURVEY_RESPONSES, Topic.SURVEY_INVITATIONS):
                await until_settled(fleet, "scoring", topic)
    return await read_end(fleet)


def orders(values: Sequence[Any], luck: Random) -> dict[str, list[list[Outgoing]]]:
    """Any order and any partition; and the two that are each other's reverse, by answer."""
    replies = [value for value in values if isinstance(value, SurveyResponse)]
    asked = [value for value in values if not isinstance(value, SurveyResponse)]
    replies.sort(key=lambda reply: (reply.answered_at, encode(reply)))
    asked.sort(key=lambda asking: asking.revision)
    anyhow = luck.sample(values, len(values))

    def by_answer(part: Sequence[Any]) -> list[Outgoing]:
        return [
            outgoing(value, getattr(value, "invitation_id", None) or value.id) for value in part
        ]

    return {
        "anyhow": [[outgoing(value, str(luck.random())) for value in anyhow]],
        "newest first, answers before": [by_answer(replies[::-1]), by_answer(asked[::-1])],
        "oldest first, invitations before": [by_answer(asked), by_answer(replies)],
    }


async def test_any_order_of_the_same_records_ends_in_the_same_rows(
    ground: Ground, told_apart: Path, tmp_path: Path, say: Say
) -> None:
    luck = Random(6)
    records = [moved(value, luck) for value in history(6, IDS)]
    expected = recount(records)
    records += tied(luck)
    records += luck.sample(records, len(records) // 20)

    async def run(name: str, parts: Sequence[Sequence[Outgoing]]) -> End:
        async with open_fleet(ground, tmp_path, told_apart) as fleet:
            await fleet.up("scoring", 2 if name == "anyhow" else 1)
            return await play(fleet, parts)

    ran = [run(name, parts) for name, parts in orders(records, luck).items()]
    anyhow, newest, oldest = await asyncio.gather(*ran)

    say(
        f"{len(records)} records of {len(anyhow.answers)} ids in 3 orders: "
        f"{len(anyhow.counts)} rows, {len(expected)} counts recounted"
    )
    assert anyhow.cells() == expected
    assert anyhow.counts == newest.counts == oldest.counts
    assert anyhow.answers == newest.answers == oldest.answers
