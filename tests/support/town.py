"""A town that answers, one region of which turns unhappy; what each service made of it, per id."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from shared.events import Answers, SurveyResponse, Topic
from shared.stream import Outgoing
from shared.stream.kafka import open_producer
from shared.wire import encode
from tests.support.evidence import UNLIKE
from tests.support.fleet import Fleet
from tests.support.load import POINTS, Posting, write_programme
from tests.support.tally import Tally, compare, connect

REGIONS, QUEUES = ("north", "south", "east", "west"), ("sales", "service", "returns")
UNHAPPY = "south"
_TRIGGERS = "after-call: {on: support_call.ended, survey: post-call, channels: [webhook]}\n"
_POINTS = ", ".join(f"p{point}" for point in range(POINTS))
_COUNTS = f"""
    SELECT s.slice, s."values", c.hour, {_POINTS}
    FROM scoring.counts c JOIN scoring.series s ON s.id = c.series WHERE s.metric = 'nps'
"""
_SCORED = "SELECT id, score, segments->>'region', segments->>'queue' FROM scoring.scored"
_COUNTED = "SELECT id, detractor, leaf::jsonb->>'region', leaf::jsonb->>'queue' FROM alerts.counted"
Cell = tuple[str, tuple[str, ...], int, int]  # slice, its values, hour and score


@dataclass
class Town:
    """Answers by number, each drawn once: who sends it again sends the same."""

    luck: Random
    unhappy: bool = False
    answers: dict[int, SurveyResponse] = field(default_factory=dict)

    def answer(self, number: int, at: datetime | None = None) -> SurveyResponse:
        if number not in self.answers:
            self.answers[number] = self._draw(number, at or datetime.now(UTC))
        return self.answers[number]

    def body(self, number: int) -> dict[str, Any]:
        answer = self.answer(number)
        return {
            "id": answer.id, "metric": "nps", "segments": answer.segments,
            "answers": {"score": answer.answers.score},
            "answered_at": answer.answered_at.isoformat(),
        }  # fmt: skip

    @property
    def posting(self) -> Posting:
        return Posting("/v1/responses/batch", self.body)

    async def remember(self, fleet: Fleet, number: int, span: timedelta) -> None:
        """So many answers of a calm past, the last of them now."""
        began = datetime.now(UTC) - span
        past = [self.answer(one, began + span * one / number) for one in range(number)]
        async with open_producer(fleet.broker) as producer:
            await producer.send(
                [Outgoing(Topic.SURVEY_RESPONSES, a.id.encode(), encode(a)) for a in past]
            )

    def _draw(self, number: int, at: datetime) -> SurveyResponse:
        segments = {"region": self.luck.choice(REGIONS), "queue": self.luck.choice(QUEUES)}
        hit = self.unhappy and segments["region"] == UNHAPPY
        low = self.luck.random() < (0.6 if hit else 0.1)
        score = self.luck.choice((2, 5) if low else (8, 9, 10))
        return SurveyResponse(
            id=f"r-{number}", submission_id=f"r-{number}", metric="nps", scale=(0, 10),
            segments=segments, answers=Answers(score=score), answered_at=at, received_at=at,
        )  # fmt: skip


def write_town_programme(folder: Path, hook: str) -> Path:
    write_programme(folder, ("region", "queue"))
    (folder / "triggers.yaml").write_text(_TRIGGERS)
    (folder / "alerts.yaml").write_text(
        f"destinations:\n  hook: {{kind: webhook, url: '{hook}'}}\n"
    )
    return folder


@dataclass(frozen=True)
class Findings:
    """`scored`, `judged`: ids that scoring and alerts took. `changed`: ids that are not what was
    sent. `cells`: running counts that differ from a recount. `unlike`: sums of alerts that do.
    """

    scored: Tally
    judged: Tally
    changed: frozenset[str]
    cells: dict[Cell, tuple[int, int]]
    unlike: int

    @property
    def exact(self) -> bool:
        whole = self.scored.exact and self.judged.exact
        return whole and not (self.changed or self.cells or self.unlike)

    def __str__(self) -> str:
        return (
            f"scoring {self.scored}, {len(self.cells)} counts differ; alerts {self.judged}, "
            f"{self.unlike} sums differ; {len(self.changed)} ids changed"
        )


async def find(fleet: Fleet, town: Town, acked: set[int], tried: set[int]) -> Findings:
    """What is acknowledged must be there; what was only tried may be."""
    connection = await connect(fleet.database_url)
    try:
        scored = {row[0]: tuple(row[1:]) for row in await connection.fetch(_SCORED)}
        judged = {row[0]: tuple(row[1:]) for row in await connection.fetch(_COUNTED)}
        counts = await connection.fetch(_COUNTS)
        unlike = int(await connection.fetchval(UNLIKE))
    finally:
        await connection.close()
    mine = {one.id: one for one in town.answers.values()}
    changed = {
        *(id_ for id_, row in scored.items() if row != _as_scored(mine[id_])),
        *(id_ for id_, row in judged.items() if row != _as_judged(mine[id_])),
    }
    recounted = recount([mine[id_] for id_ in scored])
    kept = Counter({
        (slice_, tuple(values), hour, score): number
        for slice_, values, hour, *points in counts
        for score, number in enumerate(points)
        if number
    })  # fmt: skip
    cells = {
        cell: (recounted[cell], kept[cell])
        for cell in recounted.keys() | kept.keys()
        if recounted[cell] != kept[cell]
    }
    return Findings(
        compare(acked, _numbers(scored)).without(tried),
        compare(acked, _numbers(judged)).without(tried),
        frozenset(changed), cells, unlike,
    )  # fmt: skip


def recount(answers: Sequence[SurveyResponse]) -> Counter[Cell]:
    """Plain sums, by each dimension and altogether."""
    cells: Counter[Cell] = Counter()
    for one in answers:
        hour, score = int(one.answered_at.timestamp()) // 3600, one.answers.score
        cells["", (), hour, score] += 1
        for name, value in one.segments.items():
            cells[name, (value,), hour, score] += 1
    return cells


def _as_scored(one: SurveyResponse) -> tuple[object, ...]:
    return (one.answers.score, one.segments["region"], one.segments["queue"])


def _as_judged(one: SurveyResponse) -> tuple[object, ...]:
    return (one.answers.score <= 6, one.segments["region"], one.segments["queue"])


def _numbers(ids: Iterable[str]) -> Counter[int]:
    return Counter(int(id_.removeprefix("r-")) for id_ in ids)
