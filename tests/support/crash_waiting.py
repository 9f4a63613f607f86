"""Trigger is killed while it decides what waited: questions that settle, and schedules."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from shared.clock import utc_now
from shared.cloudevents import to_structured
from shared.events import Event, Topic
from shared.failpoints import Point
from shared.stream import Outgoing
from tests.support.crash_site import Site
from tests.support.crash_streams import UNTOLD
from tests.support.fleet import Replica
from tests.support.folders import change
from tests.support.load import write_programme
from tests.support.tally import until_settled
from tests.support.trigger import call_ended

DUE = (Point.ROWS_WRITTEN, Point.PRODUCED, Point.DUE_COMMITTED)
SCHEDULE = (Point.ROWS_WRITTEN,)
CUSTOMERS = 24
_STRUCTURED = (("content-type", b"application/cloudevents+json"),)
_SETTLING = """
after-call: {on: support_call.ended, survey: post-call, channels: [email], settle: 5s}
"""
_WAITING = "SELECT event_id FROM trigger.waiting"
_NOT_DUE = f"{_WAITING} WHERE due_at > now()"
_ASKED = "SELECT customer_id, subject_id, status FROM trigger.invitations"
_DECIDED = "SELECT event_id, reason FROM trigger.decisions"
_SCHEDULE = "SELECT position FROM trigger.schedules"
_AN_HOUR_AGO = """
    UPDATE trigger.schedules SET position = position - interval '1 hour',
        moved_at = moved_at - interval '1 hour' RETURNING survey
"""


def write_asking(site: Site, triggers: str, caps: str = "caps: []") -> Path:
    folder = write_programme(site.fleet.var / "programme", ("region",))
    (folder / "triggers.yaml").write_text(triggers)
    with (folder / "programme.yaml").open("a") as file:
        file.write(f"{caps}\n")
    return folder


def _outgoing(event: Event) -> Outgoing:
    topic = Topic.SUPPORT_CALLS if event.type.startswith("support_call.") else Topic.TRANSACTIONS
    return Outgoing(topic, event.id.encode(), to_structured(event), _STRUCTURED)


async def _hear(site: Site, replica: Replica, events: Sequence[Event], topic: Topic) -> None:
    """Let it live until it has settled the events; what they ask for is not due yet."""
    await site.feed([_outgoing(event) for event in events])
    await replica.start()
    await until_settled(site.fleet, "trigger", topic)
    replica.kill()


def _two_calls_each() -> list[Event]:
    """Of each customer, the later one first; every third customer's first call is reopened."""
    now, found = utc_now(), []
    for number in range(CUSTOMERS):
        who = {"id": f"c-{number}"}
        first = call_ended(number, at=now - timedelta(seconds=9), customer=who)
        second = call_ended(number + CUSTOMERS, at=now - timedelta(seconds=3), customer=who)
        found += [second, first]
        if number % 3 == 0:
            found.append(_reopened(first))
    return found


def _reopened(event: Event) -> Event:
    return Event(
        id=f"{event.id}-reopened", source=event.source, type="support_call.reopened",
        time=event.time, subject=event.subject, data=event.data,
    )  # fmt: skip


async def due(site: Site) -> str:
    """Two calls of each settle; under a cap of one the first is asked that was not reopened."""
    programme = write_asking(site, _SETTLING, "caps: [{most: 1, per: 7d}]")
    replica = site.fleet.add("trigger", EARSHOT_PROGRAMME=str(programme))
    await _hear(site, replica, _two_calls_each(), Topic.SUPPORT_CALLS)
    waiting = sorted(await site.rows(_WAITING))
    assert len(waiting) == 2 * CUSTOMERS
    expected = {_asked_call(number) for number in range(CUSTOMERS)}
    await site.until_none(_NOT_DUE)  # then one look takes all
    await site.die(replica)
    left, asked = sorted(await site.rows(_WAITING)), await site.rows(_ASKED)
    told = await _told(site)
    if site.point is Point.DUE_COMMITTED:
        assert left == []
        assert {(who, subject) for who, subject, _ in asked} == expected
    else:
        assert (left, asked) == (waiting, [])
    assert (told["asked"] > 0) is (site.point is not Point.ROWS_WRITTEN)

    await site.revive(replica)
    await site.until_none(_WAITING)
    await site.until_none(UNTOLD)
    asked = await site.rows(_ASKED)
    assert Counter(asked) == Counter((*one, "sent") for one in expected)
    assert len(list((site.fleet.var / "mail").glob("*.eml"))) == CUSTOMERS
    reasons = Counter(reason for id_, reason in await site.rows(_DECIDED) if "reop" not in id_)
    pointless = len(range(0, CUSTOMERS, 3))
    assert reasons == {
        "asked": CUSTOMERS,
        "cancelled-by-event": pointless,
        "too-many-recently": CUSTOMERS - pointless,
    }
    return f"{len(waiting)} waited, {len(left)} after the crash; {len(asked)} asked, as expected"


def _asked_call(number: int) -> tuple[str, str]:
    call_number = number + CUSTOMERS if number % 3 == 0 else number
    return f"c-{number}", f"call-{call_number}"


async def _told(site: Site) -> Counter[str]:
    return Counter(one["reason"] for one in await site.told(Topic.SURVEY_DECISIONS))


async def schedules(site: Site) -> str:
    """Everybody who first bought a day ago is asked once; the schedule goes on where it stood."""
    folder = write_asking(site, "{}")
    change(folder, "surveys.yaml", "every: 90d",
           "after_first: {on: transaction.completed, wait: 1d}")  # fmt: skip
    now = utc_now() - timedelta(days=1, minutes=57)
    first = [
        Event(id=f"evt-{n}", source="/test", type="transaction.completed",
              time=now + timedelta(seconds=n), subject=None,
              data={"customer": {"id": f"c-{n}", "email": f"c-{n}@example.org"},
                    "transaction": {"id": f"o-{n}"}})
        for n in range(CUSTOMERS)
    ]  # fmt: skip
    replica = site.fleet.add("trigger", EARSHOT_PROGRAMME=str(folder))
    await _hear(site, replica, first, Topic.TRANSACTIONS)
    await site.rows(_AN_HOUR_AGO)
    stood = await site.rows(_SCHEDULE)
    await site.die(replica)
    assert (await site.rows(_SCHEDULE), await site.rows(_ASKED)) == (stood, [])

    await site.revive(replica)
    async with asyncio.timeout(30):
        while await site.rows(_SCHEDULE) == stood:
            await asyncio.sleep(0.05)
    await site.until_none(UNTOLD)
    asked = Counter((who, status) for who, _, status in await site.rows(_ASKED))
    assert asked == Counter((f"c-{n}", "sent") for n in range(CUSTOMERS))
    assert len(list((site.fleet.var / "mail").glob("*.eml"))) == CUSTOMERS
    return f"{CUSTOMERS} due, none asked before the crash, each once afterwards"
