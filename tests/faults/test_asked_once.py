"""G7: one survey asks one customer about one thing once, and nobody is forgotten."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from services.trigger.domain.invitations import Status
from shared.events import SurveyInvitation
from shared.failpoints import VARIABLE, Point
from tests.faults.conftest import Say
from tests.support.askings import (
    Asking,
    Crowd,
    asking_of,
    emit,
    invitations,
    write_asking_programme,
)
from tests.support.fleet import Fleet, open_fleet
from tests.support.ground import Ground
from tests.support.lives import Lives
from tests.support.outlets import open_outlets, until_told
from tests.support.tally import until_settled

POINTS = (
    Point.ROWS_WRITTEN,
    Point.PRODUCED,
    Point.DATABASE_COMMITTED,
    Point.CLAIMED,
    Point.SENT,
    Point.MARKED,
    Point.OUTBOX_PRODUCED,
)


@dataclass(frozen=True)
class Size:
    """How many customers, how often each event is told, how often each replica dies."""

    customers: int
    times: int
    lives: int
    seed: int


SHORT = Size(400, 10, 2, seed=7)
LONG = Size(4_000, 10, 17, seed=77)
LASTING = (pytest.mark.slow, pytest.mark.timeout(600))


async def until_done(fleet: Fleet) -> None:
    for topic in ("transactions", "support-calls"):
        await until_settled(fleet, "trigger", topic)
    await until_told(fleet)


def check_webhooks(asked: Mapping[Asking, Counter[str]], expected: set[Asking]) -> None:
    """Each once under one key, which nothing else has."""
    assert set(asked) == expected
    keys = Counter(key for calls in asked.values() for key in calls)
    assert {asking: calls for asking, calls in asked.items() if len(calls) > 1} == {}
    assert {key: number for key, number in keys.items() if number > 1} == {}


def check_mails(
    mails: Counter[tuple[str, str]], expected: set[Asking], told: Mapping[str, SurveyInvitation]
) -> set[str]:
    """Each customer at most one mail, and whoever has none is shown as unknown; return those."""
    unknown = {id_ for id_, one in told.items() if one.status == "unknown"}
    assert {mail: number for mail, number in mails.items() if number > 1} == {}
    assert {(one.customer_id, one.id) for one in told.values()} >= set(mails)
    lacking = {asked.customer for asked in expected} - {customer for customer, _ in mails}
    assert lacking <= {told[id_].customer_id for id_ in unknown}
    return unknown


def check_told(told: Mapping[str, SurveyInvitation], expected: set[Asking]) -> None:
    assert Counter(map(asking_of, told.values())) == Counter(expected)
    assert {one.status for one in told.values()} <= {"sent", "unknown"}


@pytest.mark.parametrize(
    ("size", "smtp"),
    [
        pytest.param(SHORT, True, id="smtp", marks=pytest.mark.timeout(300)),
        pytest.param(SHORT, False, id="files", marks=LASTING),
        pytest.param(LONG, True, id="smtp-long", marks=LASTING),
    ],
)
async def test_each_thing_is_asked_once_whoever_dies(
    ground: Ground, tmp_path: Path, say: Say, size: Size, *, smtp: bool
) -> None:
    luck, numbers = Random(size.seed), range(size.customers)
    crowd = Crowd(luck)
    expected = {asking for number in numbers for asking in crowd.askings(number)}
    by_mail = {asking for asking in expected if asking.survey == "post-call"}
    programme = write_asking_programme(tmp_path / "programme")
    async with (
        open_outlets(tmp_path / "mail", smtp=smtp) as outlets,
        open_fleet(ground, tmp_path, programme, **outlets.settings()) as fleet,
    ):
        replicas = [fleet.add("trigger") for _ in range(3)]
        lives = Lives(luck, POINTS)
        dying = asyncio.create_task(lives.lead(replicas, size.lives))
        events = crowd.repeated(numbers, size.times)
        waves = size.lives * len(replicas)
        for wave in range(waves):
            await emit(fleet, events[wave::waves], luck)
            await lives.until(wave + 1, dying)
        await dying
        await until_done(fleet)
        told = await invitations(fleet)

        asked, mails = outlets.by_webhook(), outlets.by_mail()
        unknown = {id_ for id_, one in told.items() if one.status == "unknown"}
        calls = sum(calls.total() for calls in asked.values())
        say(
            f"{len(events)} events for {len(expected)} askings, {lives}: "
            f"{calls} calls under {sum(map(len, asked.values()))} keys for {len(asked)} things, "
            f"{mails.total()} mails to {len(mails)}, {len(unknown)} unknown"
        )
        check_webhooks(asked, expected - by_mail)
        unknown = check_mails(mails, by_mail, told)
        check_told(told, expected)
        assert smtp or not unknown
        shown = await replicas[0].get("/v1/invitations", status="unknown", limit=500)
        assert {one["id"] for one in shown["items"]} == unknown


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
        await until_done(fleet)

        told, mails = await invitations(fleet), outlets.by_mail()
        unknown = check_mails(mails, expected, told)
        shown = await heir.get("/v1/invitations", status="unknown", limit=500)
        counted = await heir.metric(
            "earshot_trigger_invitations_ended_total", status=Status.UNKNOWN
        )
        say(
            f"{len(expected)} askings: {before.total()} mails taken before the death, "
            f"{mails.total()} in the end, {len(unknown)} unknown, of which "
            f"{len(unknown - {id_ for _, id_ in mails})} were not taken"
        )
        check_told(told, expected)
        assert {id_ for _, id_ in before} & unknown
        assert {one["id"] for one in shown["items"]} == unknown
        assert counted == len(unknown)
