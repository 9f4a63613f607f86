"""G7: one survey asks one customer about one thing once, and nobody is forgotten."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from services.trigger.domain.invitations import Status
from shared.failpoints import VARIABLE, Point
from tests.faults.conftest import Say
from tests.support.askings import Crowd, emit, write_asking_programme
from tests.support.came import check, look, until_done
from tests.support.fleet import Fleet, open_fleet
from tests.support.ground import Ground
from tests.support.lives import Lives
from tests.support.outlets import open_outlets
from tests.support.ruled import Expected, RuledCrowd, expected_of, stamp, write_ruled_programme
from tests.support.tally import connect

POINTS = (
    Point.ROWS_WRITTEN,
    Point.PRODUCED,
    Point.DATABASE_COMMITTED,
    Point.CLAIMED,
    Point.SENT,
    Point.MARKED,
    Point.DUE_COMMITTED,
    Point.OUTBOX_PRODUCED,
)


@dataclass(frozen=True)
class Size:
    """How many customers, how often each event is told, how often each of 3 replicas dies."""

    customers: int
    times: int
    lives: int
    seed: int


SHORT = Size(240, 5, 2, seed=7)
LONG = Size(2_400, 10, 17, seed=77)
LASTING = (pytest.mark.slow, pytest.mark.timeout(900))


async def replay(fleet: Fleet, lives: Lives) -> None:
    """Read the topics from their beginning, as if no event had come before; all die once more."""
    for replica in fleet.replicas:
        replica.kill()
    connection = await connect(fleet.database_url)
    try:
        await connection.execute("DELETE FROM trigger.offsets; DELETE FROM trigger.events")
    finally:
        await connection.close()
    await lives.lead(fleet.replicas, 1)


@pytest.mark.parametrize(
    ("size", "smtp"),
    [
        pytest.param(SHORT, True, id="smtp", marks=pytest.mark.timeout(300)),
        pytest.param(SHORT, False, id="files", marks=LASTING),
        pytest.param(LONG, True, id="smtp-long", marks=LASTING),
        pytest.param(LONG, False, id="files-long", marks=LASTING),
    ],
)
async def test_each_thing_is_asked_once_whoever_dies(
    ground: Ground, tmp_path: Path, say: Say, size: Size, *, smtp: bool
) -> None:
    """Under delays, settling, cancelling, a sample, an experiment, caps; and again by a replay."""
    luck, numbers = Random(size.seed), range(size.customers)
    crowd, programme = RuledCrowd(luck), write_ruled_programme(tmp_path / "programme")
    events, cancels = crowd.repeated(numbers, size.times), crowd.cancels(numbers)
    expected = expected_of([*cancels, *events])
    async with (
        open_outlets(tmp_path / "mail", smtp=smtp) as outlets,
        open_fleet(ground, tmp_path, programme, **outlets.settings()) as fleet,
    ):
        replicas = await fleet.up("trigger", 3)
        await emit(fleet, cancels, luck)
        await until_done(fleet)
        lives = Lives(luck, POINTS)
        dying = asyncio.create_task(lives.lead(replicas, size.lives))
        waves = size.lives * len(replicas)
        for wave in range(waves):
            stamp(events[wave::waves])
            await emit(fleet, events[wave::waves], luck)
            await lives.until(wave + 1, dying)
        await dying
        came = await look(fleet, outlets)
        shown = await replicas[0].get("/v1/invitations", status="unknown", limit=500)
        say(f"{len(events) + len(cancels)} events, {expected.number} eligible, {lives}: {came}")
        check(came, expected, smtp=smtp)
        assert {one["id"] for one in shown["items"]} == came.unknown

        await replay(fleet, lives)
        again = await look(fleet, outlets)
        say(f"after a replay and {lives}: {again}")
        check(again, expected, smtp=smtp)
        assert again == came


@pytest.mark.slow
async def test_a_mail_in_doubt_is_not_repeated_but_counted_and_shown(
    ground: Ground, tmp_path: Path, say: Say
) -> None:
    """It dies when mails were taken and no row says so."""
    luck, numbers = Random(11), range(60)
    crowd, programme = Crowd(luck), write_asking_programme(tmp_path / "programme")
    expected = {a for number in numbers for a in crowd.askings(number) if a.survey == "post-call"}
    async with (
        open_outlets(tmp_path / "mail", smtp=True) as outlets,
        open_fleet(ground, tmp_path, programme, **outlets.settings()) as fleet,
    ):
        (dying,) = await fleet.up("trigger", 1, **{VARIABLE: str(Point.SENT)})
        events = [e for e in crowd.repeated(numbers, 1) if e["type"] == "support_call.ended"]
        await emit(fleet, events, luck)
        await dying.ended()
        before = outlets.by_mail()
        (heir,) = await fleet.up("trigger")
        came = await look(fleet, outlets)
        shown = await heir.get("/v1/invitations", status="unknown", limit=500)
        counted = await heir.metric(
            "earshot_trigger_invitations_ended_total", status=Status.UNKNOWN
        )
        say(f"{len(expected)} askings: {before.total()} mails taken before the death, {came}")
        check(came, Expected(frozenset(expected), ()), smtp=True)
        assert {id_ for _, id_ in before} & came.unknown
        assert {one["id"] for one in shown["items"]} == came.unknown
        assert counted == len(came.unknown)
