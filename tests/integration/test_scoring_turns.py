"""What takes as long as there are groups is not done on the event loop: others have their turn."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from services.scoring.api import coverage, live, reasons, told, trend, weights
from services.scoring.api import scores as scores_api
from services.scoring.api.reading import Reading
from services.scoring.domain.alikeness import Alikeness
from services.scoring.domain.clusters import intraclass
from services.scoring.domain.questions import Question
from services.scoring.domain.sheets import Tabulation
from services.scoring.domain.windows import Window
from services.scoring.store import crowding, funnel
from services.scoring.store.columns import Columns
from services.scoring.store.crowding import Widening
from services.scoring.store.reader import Reader
from services.scoring.worker import Estimating, alikeness
from shared.db import open_engine
from tests.support.scoring import LAYOUT, START
from tests.support.scoring_api import NOW, get
from tests.support.scoring_columns import fill as fill_columns

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one application for all

BY = {"metric": "nps", "by": "region"}
DONE = [
    (scores_api, "judge", "scores", BY),
    (told.Teller, "groups", "scores", BY),
    (weights, "weigh", "scores", BY | {"weight": "product"}),
    (trend.Points, "of", "trend", BY),
    (coverage, "covered", "coverage", {"by": "region"}),
    (coverage, "page_of", "coverage", {"by": "region"}),
    (funnel, "_added", "coverage", {"by": "region"}),
    (reasons, "explained", "reasons", BY),
]


def watched(work: Callable[..., Any], threads: set[int]) -> Callable[..., Any]:
    def noting(*args: Any, **kwargs: Any) -> Any:
        threads.add(threading.get_ident())
        return work(*args, **kwargs)

    return noting


@pytest.mark.parametrize("done", DONE, ids=[f"{one[2]}-{one[1]}" for one in DONE])
async def test_groups_are_told_beside_the_loop(
    client: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    done: tuple[Any, str, str, dict[str, str]],
) -> None:
    owner, name, path, query = done
    threads: set[int] = set()
    monkeypatch.setattr(owner, name, watched(getattr(owner, name), threads))
    reply = await get(client, f"/v1/{path}", **query)
    assert reply["groups"]
    assert threads
    assert threading.get_ident() not in threads


@pytest.mark.parametrize("again", [False, True], ids=["first", "resumed"])
async def test_followed_groups_are_compared_beside_the_loop(
    filled: str, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    threads: set[int] = set()
    async with open_engine(filled, schema="scoring") as engine:
        reading = Reading(Reader(engine), LAYOUT.paths, "UTC", lambda: NOW, lambda: 0.0)
        topic = live.Topic(reading, Question("nps", by=("region",)), "24h")
        state = await topic.refresh() if again else live.State()
        monkeypatch.setattr(live, "_hash", watched(live._hash, threads))  # noqa: SLF001
        if again:
            assert await topic.differences(state, NOW, state.digest) == []
        else:
            assert (await topic.refresh()).last > 1
    assert threads
    assert threading.get_ident() not in threads


@pytest.mark.parametrize("kept", [0, 1_000], ids=["database", "columns"])
async def test_groups_are_counted_beside_the_loop(
    filled: str, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    threads: set[int] = set()
    monkeypatch.setattr(Tabulation, "sheet", watched(Tabulation.sheet, threads))
    async with open_engine(filled, schema="scoring") as engine:
        reader = Reader(engine, columns=Columns(kept) if kept else None)
        if reader.columns is not None:
            await fill_columns(reader)
        async with reader.snapshot() as connection:
            day = [Window(START, START + timedelta(hours=8))]
            sheet = await reader.groups(connection, Question("nps", by=("region",)), day)
    assert sheet.n(0).sum() > 1
    assert threads
    assert threading.get_ident() not in threads


async def test_how_alike_answers_are_is_estimated_beside_the_loop(
    filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: set[int] = set()
    monkeypatch.setattr(alikeness, "intraclass", watched(intraclass, threads))
    async with open_engine(filled, schema="scoring") as engine:
        alike = Alikeness(("day", "region"))
        widening = Widening(Reader(engine), alike, ZoneInfo("UTC"))
        await Estimating(widening, LAYOUT, lambda: NOW + timedelta(hours=1)).renew()
    assert {kind for _, _, kind in alike.known} == {"day", "region"}
    assert threads
    assert threading.get_ident() not in threads


async def test_how_groups_crowd_is_counted_beside_the_loop(
    filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: set[int] = set()
    monkeypatch.setattr(crowding, "_crowd", watched(crowding._crowd, threads))  # noqa: SLF001
    alike, question = Alikeness(("region",), {("nps", "", "region"): 0.1}), Question("nps")
    async with open_engine(filled, schema="scoring") as engine:
        reader = Reader(engine)
        day = [Window(START, START + timedelta(hours=8))]
        async with reader.snapshot() as connection:
            sheet = await reader.groups(connection, question, day)
            widening = Widening(reader, alike, ZoneInfo("UTC"))
            effects = await widening.effects(connection, question, day, sheet)
    assert effects[0, 0] > 2
    assert threads
    assert threading.get_ident() not in threads
