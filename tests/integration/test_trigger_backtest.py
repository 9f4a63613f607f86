"""Decided again from what was kept: the same by the same programme, and what another would do."""

import asyncio
import csv
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.trigger.commands import main
from services.trigger.handlers.backtesting import compare
from services.trigger.store.history import History
from shared.programme.asking import Cap
from tests.support.lived import BEGIN, Decided, Life, again, decided, events_of, town
from tests.support.trigger import CHANNELS, ROOT
from tests.support.trigger_rig import emptied

pytestmark = pytest.mark.thorough

DAYS = 2.0
DAY = timedelta(days=1)
TICK = timedelta(seconds=1)
SURE: Mapping[str, Any] = {"target_margin": 9, "target_by": "region"}
CHANGES: Mapping[str, Any] = {
    "caps": [
        Cap(most=2, per=timedelta(days=1)),
        Cap(most=5, per=timedelta(days=1), each=("agent",)),
    ],
    "after_call": {"sample": 0.6, "settle": "0s"},
    "after_delivery": {"delay": "30m", "experiment": None},
    "after_refund": {"delay": "2h", "cancel_on": []},
    "of_effort": {"delay": "4h", "settle": "1h", "cancel_on": ["transaction.delivered"]},
    "new": {"on": "support_call.began", "survey": "post-call", "channels": ["webhook"]},
}


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with emptied(database_url) as engine:
        yield engine


@pytest.fixture
async def another(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    async with emptied(fresh_database_url) as engine:
        yield engine


async def lived(engine: AsyncEngine, number: int = 220, *, lag: bool, **changes: Any) -> Life:
    life = Life(engine, town(**changes), Random(7), lag)
    await life.live(events_of(4, number, DAYS), DAYS * 86_400)
    return life


def differing(one: Decided, other: Decided) -> dict[tuple[str, str], tuple[str, str]]:
    keys = one.keys() | other.keys()
    both = {key: (one.get(key, "-"), other.get(key, "-")) for key in sorted(keys)}
    return {key: pair for key, pair in both.items() if pair[0] != pair[1]}


async def answered(engine: AsyncEngine) -> None:
    """Answers of the EU all but suffice; of the US there are few."""
    values = "('effort', 'region', :region, DATE '2026-10-20', :n, :n, :n, :n * 4, :n * 20)"
    columns = "survey, dimension, value, day, promoters, passives, detractors, total, squares"
    query = sa.text(f"INSERT INTO answer_counts ({columns}) VALUES {values}")
    async with engine.begin() as connection:
        await connection.execute(query, [{"region": "EU", "n": 85}, {"region": "US", "n": 7}])


async def test_the_same_programme_decides_the_same_whatever_came_late(engine: AsyncEngine) -> None:
    """Margins, opt-outs, failed letters and late rounds are the ledger's; the rest is made anew."""
    await answered(engine)
    life = await lived(engine, 400, lag=True, of_effort=SURE)
    found = await decided(engine)

    whole = await again(life)
    half = await again(life, since=BEGIN + timedelta(days=DAYS / 2))

    assert differing(found, whole.again) == {}
    assert (whole.same, whole.slips, half.slips) == (len(found), [], [])
    assert +half.counts == +half.recorded
    assert 0 < half.counts.total() < whole.counts.total() == len(found)
    reasons = Counter(found.values())
    assert {"asked", "opted-out", "cancelled-by-event", "too-many-for-group"} < set(reasons)
    assert {"asked-already", "quiet-hours", "too-many-recently", "sampled-enough"} < set(reasons)


async def test_a_changed_programme_does_what_it_would_have_done(
    engine: AsyncEngine, another: AsyncEngine
) -> None:
    life = await lived(engine, lag=False)
    fresh = await lived(another, lag=False, digest="sha256:changed", **CHANGES)
    found, would = await decided(engine), await decided(another)

    effect = await again(life, fresh.programme)

    assert differing(would, effect.again) == {}
    assert len(differing(found, would)) > 60
    assert effect.compared == 0


async def test_what_needs_a_fact_that_was_not_kept_is_counted_and_left_out_of_both(
    engine: AsyncEngine,
) -> None:
    life = await lived(engine, 120, lag=False)
    by_address = {"when": "event.customer.email.endsWith('.org')"}
    changed = town("sha256:x", after_delivery=by_address, of_effort=SURE)

    async with engine.connect() as connection:
        programmes = (life.programme, changed)
        found = await compare(History(connection), programmes, CHANNELS, BEGIN, life.now + TICK)

    left_out = found.changed.left_out
    assert {trigger for trigger, _ in left_out} == {"after-delivery", "of-effort"}
    assert min(left_out.values()) > 5
    assert found.today is not None
    assert found.checked is found.today
    assert found.today.same == found.today.compared == found.ledgered.by_programme["sha256:today"]
    assert found.today.left_out.total() == 0
    whole = found.today.recorded + found.today.counts
    assert sum(row.today for row in found.rows) == sum(row.changed for row in found.rows)
    assert 2 * (found.today.compared - left_out.total()) == whole.total()


async def test_an_operator_sees_rows_totals_and_how_far_to_trust_them(
    engine: AsyncEngine,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    life = await lived(engine, 60, lag=False)
    effect = await again(life)
    monkeypatch.setenv("EARSHOT_DATABASE_URL", database_url)
    file = tmp_path / "rows.csv"

    shipped = str(ROOT / "programme")
    backtest = ["backtest", shipped, "--days", "4000", "--csv", str(file)]
    code = await asyncio.to_thread(main, backtest)
    said = capsys.readouterr().out
    with file.open() as opened:
        rows = list(csv.DictReader(opened))

    assert code == 0
    assert sum(int(row["today"]) for row in rows) == sum(effect.recorded.values())
    assert "as the ledger has it" in said
    assert "nothing to compare" in said
    assert max(map(len, said.splitlines())) < 120

    (tmp_path / "changed").mkdir()
    for each in (ROOT / "programme").iterdir():
        text = each.read_text().replace("sample: 1.0", "sample: 0.0")
        (tmp_path / "changed" / each.name).write_text(text)
    plan = ["plan", str(tmp_path / "changed"), "--today", shipped, "--days", "4000"]

    assert await asyncio.to_thread(main, [*plan, "--format", "json"]) == 0
    numbers = json.loads(capsys.readouterr().out)["effect"]
    assert {row["reason"] for row in numbers if row["difference"] > 0} == {"not-sampled"}


async def test_without_a_database_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EARSHOT_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    code = await asyncio.to_thread(main, ["backtest", str(ROOT / "programme")])

    assert (code, capsys.readouterr().err.count("\n")) == (2, 1)
