"""G8: who must not be asked is not asked, whatever the clocks say; after an opt-out, nobody is."""

import asyncio
import email.policy
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.faults.conftest import Say
from tests.support.askings import SECRET, emit
from tests.support.fleet import Fleet, open_fleet
from tests.support.ground import Ground
from tests.support.outlets import until_told
from tests.support.receivers import Receiver, open_receiver
from tests.support.skew import is_off, open_elsewhen, told
from tests.support.tally import until_settled
from tests.support.wishes import Message, Told, objections, wish, write_wishing_programme

HOUR = timedelta(hours=1)
SKEWS = (-HOUR, timedelta(), HOUR)
ZONES = ("Europe/Berlin", "America/New_York", "UTC")
SPRING, AUTUMN = datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)
LASTING = (pytest.mark.slow, pytest.mark.timeout(300))
CASES = [
    pytest.param(SPRING, 1_200, id="spring"),
    pytest.param(AUTUMN, 1_200, id="autumn", marks=LASTING),
    pytest.param(SPRING, 20_000, id="spring-long", marks=LASTING),
    pytest.param(AUTUMN, 20_000, id="autumn-long", marks=LASTING),
]


@pytest.fixture
def elsewhen(request: pytest.FixtureRequest, ground: Ground, tmp_path: Path) -> Any:
    """The moment before the clocks change, and how far away it is."""
    at = request.getfixturevalue("change") - timedelta(seconds=8)
    with open_elsewhen(ground, tmp_path / "elsewhen", at) as opened:
        yield opened


@pytest.mark.parametrize(("change", "number"), CASES)
async def test_who_must_not_be_asked_is_not_whatever_the_clocks_say(
    elsewhen: tuple[Ground, timedelta], tmp_path: Path, say: Say, change: datetime, number: int
) -> None:
    """Three replicas an hour apart, each in a zone of its own, while Europe changes its clocks."""
    ground, offset = elsewhen
    luck, programme = Random(number), write_wishing_programme(tmp_path / "programme")
    settings = {"EARSHOT_WEBHOOK_SECRET": SECRET, "EARSHOT_KAFKA_SESSION": "2s"}
    async with (
        open_receiver() as receiver,
        open_fleet(
            ground, tmp_path, programme, EARSHOT_WEBHOOK_URL=receiver.url, **settings
        ) as fleet,
    ):
        clocks = zip(SKEWS, ZONES, strict=True)
        replicas = [fleet.add("trigger", **told(offset + skew, zone)) for skew, zone in clocks]
        await asyncio.gather(*(replica.start() for replica in replicas))
        for replica, skew in zip(replicas, SKEWS, strict=True):
            assert is_off(replica, offset + skew)
        wishes = await say_wishes(fleet, luck, range(number // 2), offset)
        await asyncio.sleep((change - offset - datetime.now(UTC)).total_seconds() + 1)
        wishes += await say_wishes(fleet, luck, range(number // 2, number), offset)
        for topic in ("transactions", "support-calls"):
            await until_settled(fleet, "trigger", topic)
        await until_told(fleet)

        messages = [*by_webhook(receiver, offset), *by_mail(tmp_path / "mail", offset)]
        events = {one.body["id"]: one for one in wishes}
        violations = judge(messages, events)
        unasked = unasked_of(messages, wishes)
        off = wrongly_stamped(receiver, offset)
        crossed = sum(one.happened < change < one.emitted for one in wishes)
        say(
            f"{number} events, {crossed} of them across the change, clocks 1 h slow, right and "
            f"1 h fast: {violations.total()} violations in {len(messages)} messages "
            f"{dict(violations) or ''}, "
            f"{len(unasked)} eligible not asked, {off} signed with another hour"
        )
        assert violations == Counter()
        assert unasked == set()
        assert off == 0
        assert len(messages) > number / 5
        assert crossed > number / 10


async def say_wishes(
    fleet: Fleet, luck: Random, numbers: Iterable[int], offset: timedelta
) -> list[Told]:
    now = datetime.now(UTC) + offset
    wishes = [wish(luck, number, now) for number in numbers]
    await emit(fleet, [one.body for one in wishes], luck)
    return wishes


def judge(messages: Iterable[Message], events: Mapping[str, Told]) -> Counter[str]:
    """How often each rule was broken."""
    broken: Counter[str] = Counter()
    asked: Counter[tuple[str, str]] = Counter()
    for message in messages:
        broken.update(objections(message, events[message.event]))
        asked[message.survey, message.event] += 1  # each event is about a thing of its own
    broken["twice"] = sum(times - 1 for times in asked.values())
    return +broken


def unasked_of(messages: Iterable[Message], wishes: Iterable[Told]) -> set[str]:
    asked = {message.event for message in messages}
    return {one.body["id"] for one in wishes if one.surely_asks()} - asked


def by_webhook(receiver: Receiver, offset: timedelta) -> list[Message]:
    away = _wall(offset)
    calls = zip((body["data"] for body in receiver.bodies()), receiver.began, strict=True)
    return [
        Message(about["event"]["id"], about["survey"], "webhook", away + timedelta(seconds=began))
        for about, began in calls
    ]


def by_mail(folder: Path, offset: timedelta) -> list[Message]:
    found = []
    for path in folder.glob("*.eml"):
        mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        text = mail.get_body(("plain",))
        assert isinstance(text, EmailMessage)
        at = datetime.fromtimestamp(path.stat().st_mtime, UTC) + offset
        survey, _, event = str(mail["Subject"]).partition(" about ")
        found.append(Message(event, survey, "email", at, text.get_content()))
    return found


def wrongly_stamped(receiver: Receiver, offset: timedelta) -> int:
    """Calls whose signature a receiver would take for too old or too new."""
    away = _wall(offset)
    stamps = [
        datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        for _, headers, _ in receiver.got
    ]
    came = [away + timedelta(seconds=began) for began in receiver.began]
    return sum(
        abs(at - stamp) > timedelta(seconds=60) for at, stamp in zip(came, stamps, strict=True)
    )


def _wall(offset: timedelta) -> datetime:
    """What the true clock showed when the loop's began."""
    loop = asyncio.get_running_loop()
    return datetime.now(UTC) + offset - timedelta(seconds=loop.time())
