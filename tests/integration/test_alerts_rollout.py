"""Two versions of the judge over one database: the older one takes nothing from the newer."""

from collections.abc import AsyncIterator
from datetime import timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from services.alerts.domain import layout
from services.alerts.domain.alerts import Change, State
from services.alerts.domain.layout import LAYOUT
from services.alerts.domain.state import STATE_COLUMNS
from services.alerts.domain.terms import Policy
from services.alerts.metrics import REGISTRY
from services.alerts.store.alerts import write_by_hand
from services.alerts.store.lines import Fenced
from services.alerts.worker.auditing import Auditing
from services.alerts.worker.courtroom import Terms
from shared.db import open_engine
from tests.support.alerts import LATTICE, START, AlertsRig, finish, judging, scored
from tests.support.alerts_history import history
from tests.support.alerts_stage import Stage, fresh

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NEWER = "UPDATE lines SET columns = columns || '{a_column_of_tomorrow}', layout = layout + 1"
LONGER = "UPDATE streams SET state = state || '\\x000000000000f03f'"


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(fresh_database_url, schema="alerts") as engine:
        yield engine


@pytest.fixture
async def rig(engine: AsyncEngine) -> AlertsRig:
    """Thirty hours are judged."""
    rig = AlertsRig(engine)
    rig.put(history(until=START + 30 * HOUR))
    await rig.count_all()
    async with judging(rig.judge()) as judge:
        await finish(judge)
    return rig


async def more(rig: AlertsRig) -> None:
    """Answers of another hour wait for a judge."""
    at = START + 31 * HOUR
    rig.put(scored(90_000 + i, at + i * MINUTE, detractor=False) for i in range(60))
    await rig.count_all()


async def as_by_newer(rig: AlertsRig) -> None:
    async with rig.engine.begin() as connection:
        for statement in (NEWER, LONGER):
            await connection.execute(sa.text(statement))


async def kept(rig: AlertsRig) -> list[tuple[object, ...]]:
    return await rig.rows(
        "SELECT l.judged_to, l.closed_to, l.columns, l.detector::text, l.layout, s.number, s.state"
        " FROM lines l JOIN streams s USING (metric, survey) ORDER BY s.number"
    )


def shown() -> tuple[float | None, float | None]:
    names = ("earshot_alerts_judge_outdated", "earshot_alerts_judge_elected")
    outdated, elected = (REGISTRY.get_sample_value(name) for name in names)
    return outdated, elected


async def test_an_older_judge_stands_down_and_says_why(rig: AlertsRig) -> None:
    await more(rig)
    await as_by_newer(rig)
    before, older = await kept(rig), rig.judge()

    with capture_logs() as logs:
        async with judging(older):
            assert not await older.turn()
            assert not await older.turn()

            assert await kept(rig) == before
            assert not older.elected
            assert f"layout {LAYOUT + 1}, this one knows {LAYOUT}" in str(older.outdated)
            assert shown() == (1.0, 0.0)
            assert [one["event"] for one in logs] == ["does not judge"]
            assert await _locks(rig) == 0  # it stands in no newer one's way
    await Auditing(
        rig.engine, Terms(Policy(), LATTICE, {}, lambda: rig.now), ZoneInfo("UTC")
    ).turn()
    assert await rig.rows("SELECT 1 FROM audits") == []  # nor does it say how it would have judged


async def test_a_newer_judge_takes_over_and_the_older_one_stands_down(
    rig: AlertsRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await more(rig)
    older, newer = rig.judge(), rig.judge()
    monkeypatch.setattr(layout, "LAYOUT", LAYOUT + 1)
    async with judging(newer):
        await finish(newer)
        assert newer.elected
    assert {row[4] for row in await kept(rig)} == {LAYOUT + 1}

    monkeypatch.setattr(layout, "LAYOUT", LAYOUT)
    async with judging(older):
        assert not await older.turn()
        assert older.outdated is not None

    async with rig.engine.begin() as connection:  # somebody decided to go back for good
        await connection.execute(sa.text("UPDATE lines SET layout = :l"), {"l": LAYOUT})
    async with judging(older):
        await older.turn()
        assert older.elected
        assert shown() == (0.0, 1.0)


async def test_what_a_newer_one_wrote_meanwhile_is_not_written_over(rig: AlertsRig) -> None:
    """Whatever went wrong with the lock."""
    async with judging(rig.judge()) as older:
        await finish(older)
        await more(rig)
        await as_by_newer(rig)
        before = await kept(rig)
        with pytest.raises(Fenced):
            await older.turn()
        assert [row[2:] for row in await kept(rig)] == [row[2:] for row in before]
        assert not await older.turn()
        assert older.outdated is not None


async def test_state_of_before_versions_is_taken_over(rig: AlertsRig) -> None:
    async with rig.engine.begin() as connection:
        await connection.execute(sa.text("UPDATE lines SET layout = 0"))
    await more(rig)
    async with judging(rig.judge()) as judge:
        await finish(judge)
    assert {(row[4], tuple(row[2])) for row in await kept(rig)} == {(LAYOUT, STATE_COLUMNS)}  # type: ignore[arg-type]


async def test_a_persons_word_to_an_older_process_takes_nothing_from_the_alert(
    engine: AsyncEngine,
) -> None:
    rig, alert = AlertsRig(engine), fresh()
    async with httpx.AsyncClient() as client:
        await Stage(engine, client).tell((alert, Change.OPENED))
    async with engine.begin() as connection:
        more = """UPDATE alerts SET body = body || '{"of_tomorrow": 7}'"""
        await connection.execute(sa.text(more))
        ended = alert.end(State.RESOLVED, rig.now, rig.now)
        await write_by_hand(connection, ended, Change.RESOLVED, {})

    kept = await rig.rows("SELECT body ->> 'of_tomorrow', body ->> 'state' FROM alerts")
    assert kept == [("7", "resolved")]


async def _locks(rig: AlertsRig) -> int:
    ((number,),) = await rig.rows(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    return int(number)
