"""Past answers judged again: the same by the same settings, and what others would have done."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.commands import main
from services.alerts.commands.backtest import Asked, judge_again
from services.alerts.commands.listing import Found, show
from services.alerts.domain.alerts import Change, State
from services.alerts.domain.facts import Word
from services.alerts.domain.rehearsal import Fate
from services.alerts.domain.silences import Matcher, Silence
from services.alerts.domain.terms import Policy
from services.alerts.store.alerts import write_by_hand
from services.alerts.store.silences import put_silence
from shared.db import open_engine
from shared.events import ScoredResponse
from tests.support.alerts import LATTICE, START, AlertsRig, finish, judging, scored
from tests.support.alerts_history import BAD, SPIKE, SPIKE_ENDS, history, play
from tests.support.folders import SHIPPED

FAULTS = ((BAD, 36, 46), ({"region": "US"}, 76, 88), ({"product": "hats"}, 120, 130))


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(fresh_database_url, schema="alerts") as engine:
        yield engine


@pytest.fixture
def rig(engine: AsyncEngine) -> AlertsRig:
    return AlertsRig(engine, now=START + timedelta(days=8))


def life(seed: int = 3, *, days: int = 7) -> list[ScoredResponse]:
    """Two surveys, the second from the second day on; three faults, of which it has one."""
    draw = random.Random(seed)
    answers = []
    for number in range(days * 24 * 40):
        hour = number / 40
        survey = "post-call" if hour > 24 and draw.random() < 0.4 else "post-delivery"
        where = {
            "region": draw.choice(("EU", "US")),
            "product": draw.choice(("shoes", "hats", "bags")),
        }
        faults = FAULTS if survey == "post-delivery" else FAULTS[1:2]
        hit = any(a <= hour < b and slice_.items() <= where.items() for slice_, a, b in faults)
        at = START + timedelta(hours=hour, seconds=draw.randrange(60))
        bad = draw.random() < (0.55 if hit else 0.12)
        answers.append(scored(number, at, detractor=bad, survey=survey, segments=where))
    return answers


async def again(engine: AsyncEngine, **changed: float) -> Found:
    asked = Asked(policy=Policy(**changed), lattice=LATTICE)
    async with engine.connect() as connection:
        return await judge_again(connection, asked)


def fates(found: Found) -> list[Fate]:
    return [pair.fate for pair in found.pairs]


async def live(rig: AlertsRig, answers: Sequence[ScoredResponse], batch: int) -> None:
    """Answers come in batches and are judged at once, open minutes too."""
    async with judging(rig.judge()) as judge:
        for first in range(0, len(answers), batch):
            rig.put(answers[first : first + batch])
            await rig.count_all()
            await finish(judge, 1)
        await finish(judge)


@pytest.mark.thorough
async def test_by_the_same_settings_what_opened_opens_again(rig: AlertsRig) -> None:
    answers = sorted(life(), key=lambda answer: answer.answered_at)
    await live(rig, answers, 211)
    real = await rig.alerts()

    found = await again(rig.engine)

    assert len(real) >= 4
    assert fates(found) == [Fate.SAME] * len(real)
    assert [pair.later for pair in found.pairs] == [timedelta()] * len(real)
    for pair in found.pairs:
        one, other = pair.real, pair.again
        assert one is not None
        assert other is not None
        assert (one.raised_segment, one.state) == (other.raised_segment, other.state)
        assert (one.resolved_at, one.began_at) == (other.resolved_at, other.began_at)
    assert sum(one.answers for one in found.judged) <= len(answers)


@pytest.mark.thorough
async def test_what_an_open_minute_raised_is_the_same_or_was_taken_back(rig: AlertsRig) -> None:
    before = history(until=SPIKE, spike=False)
    start = SPIKE + timedelta(minutes=30)
    burst = [
        scored(500_000 + i, start + timedelta(seconds=i / 2), detractor=True, segments=BAD)
        for i in range(40)
    ]
    calm = [
        scored(510_000 + i, start + timedelta(seconds=21 + i / 100), detractor=False, segments=BAD)
        for i in range(600)
    ]
    later = [
        scored(520_000 + i, start + timedelta(minutes=3 + i), detractor=False, segments=BAD)
        for i in range(30)
    ]
    async with judging(rig.judge()) as judge:
        for part in (before, burst, calm, later):
            rig.put(part)
            await rig.count_all()
            await finish(judge)
    (alert,) = await rig.alerts()
    assert alert.opened_at == burst[-1].answered_at

    assert fates(await again(rig.engine)) == [Fate.TAKEN_BACK]


@pytest.mark.thorough
async def test_what_a_person_closed_is_closed_again(rig: AlertsRig) -> None:
    answers = history()
    half = [a for a in answers if a.answered_at < SPIKE_ENDS]
    rig.put(half)
    await rig.count_all()
    async with judging(rig.judge()) as judge:
        await finish(judge)
        (alert,) = await rig.alerts()
        word = Word(by="anne", note=None, at=rig.now)
        ended = alert.end(State.ACCEPTED, half[-1].answered_at, rig.now, word)
        async with rig.engine.begin() as connection:
            await write_by_hand(connection, ended, Change.ACCEPTED, {})
        await finish(judge)
        rig.put(answers[len(half) :])
        await rig.count_all()
        await finish(judge)

    found = await again(rig.engine)

    assert fates(found) == [Fate.SAME] * len(await rig.alerts())
    first = found.pairs[0].again
    assert first is not None
    assert first.state is State.ACCEPTED
    assert first.resolved_at is not None
    assert first.resolved_at - half[-1].answered_at <= timedelta(minutes=1)


@pytest.mark.thorough
@pytest.mark.parametrize("maintained", [True, False])
async def test_what_maintenance_left_out_is_left_out_again(
    rig: AlertsRig, *, maintained: bool
) -> None:
    """For twelve hours the contented half says nothing: the rest alone looks like a rise."""
    draw, ends = random.Random(5), SPIKE + timedelta(hours=12)
    rates = {"EU": 0.02, "US": 0.6}
    window = Silence(
        id="s-1", matchers=Matcher(segment={"region": "EU"}), begins_at=SPIKE, ends_at=ends,
        maintenance=True, by="anne", note=None, created_at=START,
    )  # fmt: skip
    answers = []
    for number in range(int((ends - START) / timedelta(minutes=2))):
        at = START + number * timedelta(minutes=2)
        region = "US" if at >= SPIKE else draw.choice(("EU", "US"))
        where = {"region": region, "product": "shoes"}
        bad = draw.random() < rates[region]
        answers.append(scored(number, at, detractor=bad, segments=where))
    if maintained:
        async with rig.engine.begin() as connection:
            await put_silence(connection, window)
    real = await play(rig, answers)

    found = await again(rig.engine)

    assert bool(real) is not maintained
    assert fates(found) == [Fate.SAME] * len(real)


@pytest.mark.thorough
async def test_other_settings_open_other_alerts(
    rig: AlertsRig, capsys: pytest.CaptureFixture[str]
) -> None:
    await play(rig, history())

    fewer = await again(rig.engine, false_alarms_per_week=0.1)
    coarse = await again(rig.engine, smallest_rise=0.8)

    assert fates(fewer) == [Fate.SAME]
    (pair,) = fewer.pairs
    assert pair.later is not None
    assert pair.later > timedelta()
    assert fates(coarse) == [Fate.GONE]
    show(coarse)
    assert "0 the same, 0 new, 1 gone" in capsys.readouterr().out


@pytest.mark.thorough
async def test_the_verb_reads_the_database_and_writes_json(
    rig: AlertsRig,
    fresh_database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await play(rig, history())
    monkeypatch.setenv("EARSHOT_DATABASE_URL", fresh_database_url)
    programme = str(SHIPPED)

    asked = ["backtest", "--programme", programme, "--from", "2026-03-03", "--json"]
    code = await asyncio.to_thread(main, asked)

    said = json.loads(capsys.readouterr().out)
    assert code == 0
    assert [one["fate"] for one in said["alerts"]] == ["same"]
    assert said["alerts"][0]["real"]["segment"].items() <= BAD.items()
    assert said["settings"] == {"false_alarms_per_week": 1.0, "smallest_rise": 5.0}
    assert said["judged"][0]["from"] == "2026-03-03T00:00:00+00:00"


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["backtest", "--programme", "nowhere"], "nowhere"),
        (["backtest", "--from", "2026-03-03", "--to", "2026-03-02"], "--from"),
        (["backtest"], "EARSHOT_DATABASE_URL"),
        (["check"], "no such verb: check"),
    ],
)
def test_what_cannot_be_begun_says_why(
    arguments: list[str],
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("EARSHOT_PROGRAMME", str(SHIPPED))
    monkeypatch.setenv("EARSHOT_VAR", str(tmp_path))

    assert main(arguments) == 2
    assert fault in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--false-alarms-per-week", "0"],
        ["--smallest-rise", "60"],
        ["--from", "yesterday"],
        ["--days", "3"],
    ],
)
def test_an_argument_that_is_none_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["backtest", *arguments])
    assert refused.value.code == 2
