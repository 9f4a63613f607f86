"""Trigger is killed between an invitation's claim and the last that is told of it."""

import asyncio
import email
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass

from shared.events import Topic
from shared.failpoints import Point
from tests.support.crash_site import Site
from tests.support.crash_streams import BACKDATE, UNTOLD, call
from tests.support.receivers import open_receiver
from tests.support.tally import until_settled
from tests.unit.test_senders_smtp import Postbox

STEPS = (Point.CLAIMED, Point.SENT, Point.MARKED, Point.OUTBOX_PRODUCED, Point.OUTBOX_MARKED)
CUSTOMERS = 30
SECRET = "whsec_" + "c2VjcmV0" * 4
_IN_DOUBT = "SELECT id FROM trigger.invitations WHERE status = 'sending' AND NOT held"
_ROWS = "SELECT id, customer_id, status, published, revision FROM trigger.invitations"


@dataclass(frozen=True)
class Channel:
    """How letters leave: the settings that say so, and what came out, each id as often as it did.

    `repeats`: whether a letter in doubt is sent again, under the same id.
    """

    settings: dict[str, str]
    taken: Callable[[], Counter[str]]
    repeats: bool
    customer: dict[str, str | None]


@asynccontextmanager
async def files(site: Site) -> AsyncIterator[Channel]:
    def taken() -> Counter[str]:
        return Counter(path.stem for path in (site.fleet.var / "mail").glob("*.eml"))

    yield Channel({}, taken, repeats=True, customer={})


@asynccontextmanager
async def webhook(site: Site) -> AsyncIterator[Channel]:
    async with open_receiver() as receiver:
        settings = {"EARSHOT_WEBHOOK_URL": receiver.url, "EARSHOT_WEBHOOK_SECRET": SECRET}

        def taken() -> Counter[str]:
            return Counter(headers["webhook-id"] for _, headers, _ in receiver.got)

        yield Channel(settings, taken, repeats=True, customer={"email": None})


@asynccontextmanager
async def smtp(site: Site) -> AsyncIterator[Channel]:
    box = Postbox()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError), closing(writer):
            await box.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    def taken() -> Counter[str]:
        names = [email.message_from_bytes(mail)["Message-ID"] for mail in box.mails]
        return Counter(name.strip("<>").partition("@")[0] for name in names)

    try:
        yield Channel({"EARSHOT_SMTP_URL": f"smtp://127.0.0.1:{port}"}, taken, False, {})
    finally:
        server.close()


async def by_file(site: Site) -> str:
    async with files(site) as channel:
        return await send(site, channel)


async def by_webhook(site: Site) -> str:
    async with webhook(site) as channel:
        return await send(site, channel)


async def by_smtp(site: Site) -> str:
    async with smtp(site) as channel:
        return await send(site, channel)


async def send(site: Site, channel: Channel) -> str:
    """Each customer is asked under one id; once, where a repeat would not be recognised."""
    await site.feed([call(number, **channel.customer) for number in range(CUSTOMERS)])
    replica = site.fleet.add("trigger", **channel.settings)
    await site.die(replica)
    before = channel.taken()
    await _check_truth(site, before)
    marked = {id_ for id_, _, status, *_ in await site.rows(_ROWS) if status == "sent"}

    await site.rows(BACKDATE)
    doubted = {id_ for (id_,) in await site.rows(_IN_DOUBT)}
    await site.revive(replica)
    await until_settled(site.fleet, "trigger", Topic.SUPPORT_CALLS)
    await site.until_none(UNTOLD)
    after = channel.taken()
    rows = await site.rows(_ROWS)
    states = {id_: status for id_, _, status, *_ in rows}
    assert Counter(customer for _, customer, *_ in rows) == Counter(
        f"c-{number}" for number in range(CUSTOMERS)
    )
    assert all(after[id_] == before[id_] for id_ in marked)
    if channel.repeats:
        assert set(after) == set(states)
        assert set(states.values()) == {"sent"}
    else:
        assert max(after.values(), default=0) <= 1
        assert {id_ for id_ in states if states[id_] == "unknown"} == doubted
        assert set(after) - doubted == {id_ for id_ in states if states[id_] == "sent"}
    again = await _check_told(site, states)
    return (
        f"{CUSTOMERS} customers: {len(before)} asked before, {len(doubted)} in doubt, "
        f"{len(after)} asked in the end, {after.total() - len(after)} again under the same id, "
        f"{sum(status == 'unknown' for status in states.values())} unknown, {again} told again"
    )


async def _check_truth(site: Site, taken: Counter[str]) -> None:
    """What the step says of itself holds when the process has died there."""
    rows = await site.rows(_ROWS)
    sending = {id_ for id_, _, status, *_ in rows if status == "sending"}
    sent = {id_ for id_, _, status, *_ in rows if status == "sent"}
    published = {id_ for id_, _, _, published, _ in rows if published}
    told = {one["id"] for one in await site.told(Topic.SURVEY_INVITATIONS)}
    holds = {
        Point.CLAIMED: sending and not taken,
        Point.SENT: sending & set(taken) and not sent,
        Point.MARKED: sent and sent <= set(taken),
        Point.OUTBOX_PRODUCED: told and not published,
        Point.OUTBOX_MARKED: published and published <= told,
    }
    assert holds[site.point], f"{site.point}: {rows}, taken {taken}, told {told}"


async def _check_told(site: Site, states: dict[str, str]) -> int:
    """The last that the topic says of each invitation is its state; a revision says one thing."""
    said: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
    for one in await site.told(Topic.SURVEY_INVITATIONS):
        said[one["id"], one["revision"]].append(one["status"])
    assert all(len(set(each)) == 1 for each in said.values())
    last = {id_: said[id_, revision][0] for id_, revision in sorted(said)}
    assert last == states
    return sum(len(each) - 1 for each in said.values())
