"""The scores that Prometheus is shown, over real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring.metrics import SHOWN_FOR_S, ScoreGauges
from services.scoring.store import adopt
from services.scoring.store.reader import Reader
from services.scoring.worker import GaugeBoard, keep_gauges
from shared.db import open_engine
from shared.errors import Unavailable
from shared.programme.models import Gauge
from tests.support.scoring import LAYOUT, START, response
from tests.support.scoring_api import NOW, build_client, get, settle
from tests.support.scoring_history import history
from tests.support.tools import run_tool, system_tool

BY_REGION = Gauge(metric="nps", by=("region",))


class Rig:
    """A board on a registry of its own, with clocks that are moved by hand."""

    def __init__(self, engine: AsyncEngine, *gauges: Gauge, **changes: Any) -> None:
        self.now = NOW
        self.seconds = 0.0
        self.shown = ScoreGauges(lambda: self.seconds)
        self.registry = CollectorRegistry()
        self.registry.register(self.shown)
        self.board = GaugeBoard(gauges, Reader(engine), self.clock, self.shown, **changes)

    def clock(self) -> datetime:
        return self.now

    def plain(self, name: str) -> float | None:
        return self.registry.get_sample_value(f"earshot_scoring_score_{name}")

    def series(self, name: str = "score") -> dict[tuple[str, ...], float]:
        names = ("metric", "survey", "window", "segment")
        return {
            tuple(sample.labels[one] for one in names): sample.value
            for family in self.registry.collect()
            for sample in family.samples
            if sample.name == f"earshot_scoring_{name}"
        }


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(fresh_database_url, schema="scoring") as opened:
        await adopt(opened, LAYOUT)
        yield opened


@asynccontextmanager
async def kept(board: GaugeBoard) -> AsyncIterator[None]:
    stop = asyncio.Event()
    work = asyncio.create_task(keep_gauges(board, stop, every_s=0.01))
    try:
        yield
    finally:
        stop.set()
        await work


async def until(said: Any) -> None:
    async with asyncio.timeout(10):
        while not said():
            await asyncio.sleep(0.01)


def answers(region: str, *scores: int, **changes: Any) -> list[Any]:
    return [
        response(f"{region}-{n}", score, segments={"region": region}, **changes)
        for n, score in enumerate(scores)
    ]


async def test_gauges_say_what_the_api_says(engine: AsyncEngine) -> None:
    await settle(engine, history(1, ids=250))
    gauges = (
        BY_REGION,
        Gauge(metric="ces", survey="other", by=("region", "channel"), window="7d"),
        Gauge(metric="csat", window="30d"),
        Gauge(metric="nps", by=("product",), where={"region": "A"}),
    )
    rig = Rig(engine, *gauges)

    await rig.board.compute()

    told: dict[tuple[str, ...], Any] = {}
    client, _ = build_client(engine)
    async with client:
        for gauge, where in zip(gauges, (None, None, None, "region:A"), strict=True):
            asked = {"by": ",".join(gauge.by), "survey": gauge.survey, "where": where}
            query = {name: value for name, value in asked.items() if value}
            reply = await get(
                client, "/v1/scores", metric=gauge.metric, window=gauge.window, **query
            )
            for group in reply["groups"]:
                named = sorted({**group["segment"], **gauge.where}.items())
                key = ",".join(f'"{name}":"{value}"' for name, value in named)
                told[gauge.metric, gauge.survey or "", gauge.window, f"{{{key}}}"] = group
    known = {key: group for key, group in told.items() if group["n"]}
    assert len({key[:3] for key in known}) == 3
    assert ("nps", "", "24h", '{"product":"x","region":"A"}') in known
    assert rig.series() == {key: group["score"] for key, group in known.items()}
    assert rig.series("score_lower") == {key: one["interval"][0] for key, one in known.items()}
    assert rig.series("score_upper") == {key: one["interval"][1] for key, one in known.items()}
    assert rig.series("score_answers") == {key: group["n"] for key, group in told.items()}
    assert rig.plain("computed_timestamp_seconds") == NOW.timestamp()
    assert rig.plain("segments_left_out") == 0


async def test_the_segments_with_most_answers_are_shown_and_the_rest_counted(
    engine: AsyncEngine,
) -> None:
    counts = {"a": 1, "b": 3, "c": 2, "d": 2, "e": 2, "f": 1}
    await settle(engine, [one for name, n in counts.items() for one in answers(name, *[9] * n)])
    rig = Rig(engine, BY_REGION, Gauge(metric="nps"), Gauge(metric="csat"), most=4)

    await rig.board.compute()

    shown = {key[3] for key in rig.series()}
    assert shown == {"{}", '{"region":"b"}', '{"region":"c"}', '{"region":"d"}'}
    assert rig.series("score_answers").keys() == rig.series().keys()
    assert rig.plain("segments_left_out") == 3  # e, a and f; nobody answered csat


async def test_whatever_customers_say_there_are_at_most_200_segments(engine: AsyncEngine) -> None:
    await settle(engine, [one for n in range(230) for one in answers(f"r-{n:03}", 9)])
    rig = Rig(engine, BY_REGION, Gauge(metric="nps"))

    await rig.board.compute()

    assert len(rig.series()) == len(rig.series("score_answers")) == 200
    assert rig.plain("segments_left_out") == 31


async def test_who_falls_out_is_gone_and_who_falls_silent_says_so(engine: AsyncEngine) -> None:
    await settle(engine, answers("old", 9, 9) + answers("new", 9, answered_at=NOW))
    rig = Rig(engine, BY_REGION, most=2)
    old, new, newer = (
        ("nps", "", "24h", f'{{"region":"{one}"}}') for one in ("old", "new", "newer")
    )
    rig.now = START + timedelta(hours=1)
    await rig.board.compute()
    assert rig.series("score_answers") == {old: 2}

    rig.now = NOW + timedelta(hours=20)
    await rig.board.compute()
    assert rig.series() == {new: 100}
    assert rig.series("score_answers") == {new: 1, old: 0}

    await settle(engine, answers("newer", 0, answered_at=NOW + timedelta(hours=1)))
    await rig.board.compute()
    assert rig.series() == {new: 100, newer: -100}
    assert rig.series("score_answers") == {new: 1, newer: 1}


async def test_two_gauges_may_show_the_same_segment_once(engine: AsyncEngine) -> None:
    await settle(engine, answers("EU", 9))
    rig = Rig(engine, BY_REGION, Gauge(metric="nps", where={"region": "EU"}))

    await rig.board.compute()

    assert rig.series() == {("nps", "", "24h", '{"region":"EU"}'): 100}


async def test_without_a_database_old_scores_end_and_come_back(engine: AsyncEngine) -> None:
    await settle(engine, answers("EU", 9))
    rig = Rig(engine, BY_REGION)
    groups = rig.board.reader.groups
    away = False

    class Weather:
        snapshot = rig.board.reader.snapshot

        async def groups(self, *asked: Any) -> Any:
            if away:
                raise Unavailable("away")
            return await groups(*asked)

    rig.board.reader = Weather()  # type: ignore[assignment]
    async with kept(rig.board):
        await until(rig.series)
        away = True
        await asyncio.sleep(0.05)
        rig.seconds += SHOWN_FOR_S
        assert len(rig.series()) == 1
        rig.seconds += 1
        assert rig.series() == {}
        assert rig.series("score_answers") == {}
        assert rig.plain("computed_timestamp_seconds") == NOW.timestamp()
        away = False
        await until(rig.series)
    assert rig.series() == {}


async def test_a_fault_of_ours_ends_no_worker(
    engine: AsyncEngine,
) -> None:
    await settle(engine, answers("EU", 9))
    rig = Rig(engine, BY_REGION)
    rounds = 0

    def clock() -> datetime:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            raise ZeroDivisionError
        return NOW

    rig.board.now = clock
    async with kept(rig.board):
        await until(rig.series)
    assert rounds > 1


@pytest.mark.tools
async def test_prometheus_accepts_what_is_shown(engine: AsyncEngine) -> None:
    odd = 'a "b" \\ {c}'
    await settle(engine, answers(odd, 9, 0, 10))
    rig = Rig(engine, BY_REGION)
    await rig.board.compute()

    text = generate_latest(rig.registry).decode()

    assert text.count("\nearshot_scoring_score") == 6
    run_tool(system_tool("promtool"), "check", "metrics", fed=text)
