"""Real answers through the running system, and what became alerts of them."""

import asyncio
import csv
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.support.recount import DETRACTOR_UP_TO, clean, rows
from tests.support.replays import finished, play
from tests.support.system import System

Segment = Mapping[str, str]


@dataclass(frozen=True)
class Answered:
    """One answer of a set."""

    at: datetime
    metric: str
    detractor: bool
    values: Segment


@dataclass(frozen=True)
class Named:
    """A stream that an alert names: since when it rose, when that was said, on how many answers."""

    segment: Segment
    began_at: datetime
    opened_at: datetime
    n: int
    detractors: int


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def read_answers(file: Path, dimensions: Sequence[str]) -> list[Answered]:
    """The answers of a file in the order of their times, read by none of the project's code."""
    found = []
    for row in rows(file):
        cut = DETRACTOR_UP_TO[row["metric"], int(float(row["scale_max"]))]
        values = {name: value for name in dimensions if (value := clean(row[name]))}
        unhappy = float(row["score"]) <= cut
        found.append(Answered(moment(row["occurred_at"]), row["metric"], unhappy, values))
    return sorted(found, key=lambda answer: answer.at)


def write_sample(source: Path, target: Path, sample: str) -> Path:
    """The rows of a set that belong to a sample of it."""
    with (
        gzip.open(source, "rt", encoding="utf-8", newline="") as lines,
        gzip.open(target, "wt", encoding="utf-8", newline="") as out,
    ):
        reader = csv.DictReader(lines)
        writer = csv.DictWriter(out, reader.fieldnames or ())
        writer.writeheader()
        writer.writerows(row for row in reader if sample in row["sample"])
    return target


def between(
    answers: Sequence[Answered], metric: str, segment: Segment, start: datetime, end: datetime
) -> list[Answered]:
    """The answers of a stream from `start` to before `end`."""
    return [
        answer
        for answer in answers
        if answer.metric == metric
        and start <= answer.at < end
        and segment.items() <= answer.values.items()
    ]


def is_within(segment: Segment, outer: Segment) -> bool:
    return outer.items() <= segment.items()


def named_by(alert: Mapping[str, Any]) -> list[Named]:
    """The streams that an alert names, in the order in which they crossed."""
    return [
        Named(
            crossing["segment"], moment(crossing["began_at"]), moment(crossing["opened_at"]),
            crossing["n"], round(crossing["n"] * crossing["rates"]["current"]),
        )
        for crossing in alert["crossings"]
    ]  # fmt: skip


async def listed(system: System) -> list[dict[str, Any]]:
    """Every alert, in the order in which they opened, as asked one by one."""
    found: list[dict[str, Any]] = []
    params: dict[str, Any] = {"limit": 500}
    while True:
        page = await system.get("alerts", "/v1/alerts", **params)
        for alert in page["items"]:
            assert await system.get("alerts", f"/v1/alerts/{alert['id']}") == alert
        found += page["items"]
        if page["next"] is None:
            return sorted(found, key=lambda alert: (alert["opened_at"], alert["id"]))
        params["cursor"] = page["next"]


async def played(
    system: System, file: Path, dimensions: Sequence[str], answers: Sequence[Answered]
) -> list[dict[str, Any]]:
    """Play a set, and give its alerts once all of it was judged."""
    playing = play(system, "--dimensions", ",".join(dimensions), "--responses", str(file))
    assert await finished(playing) == 0, system.log()[-2000:]
    last = max(answer.at for answer in answers)
    async with asyncio.timeout(240):
        while (await judged_to(system) or last.replace(year=2000)) < last:
            await asyncio.sleep(0.2)
    return await listed(system)


async def judged_to(system: System) -> datetime | None:
    """How far alerts were looked for, in event time."""
    text = (await system.get("alerts", "/v1/alerts", limit=1))["judged_to"]
    return moment(text) if text else None
