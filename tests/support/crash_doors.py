"""Ingest is killed between a request and its reply, at each of its doors."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from shared.cloudevents import to_structured
from shared.events import Topic
from shared.failpoints import Point
from shared.tokens import Tokens
from tests.support.crash_site import Site
from tests.support.load import body_of
from tests.support.trigger import call_ended

STEPS = (Point.RECEIVED, Point.PRODUCED)
TOTAL = 400
_SENDERS = 8
_BATCH = 10
_PASSES = 8
_AWAY_S = 0.05

Post = Callable[[httpx.AsyncClient, int], Awaitable[httpx.Response]]


@dataclass
class Caller:
    """Sends each number until it is acknowledged, as emitters do."""

    http: httpx.AsyncClient
    post: Post
    step: int = 1
    acked: set[int] = field(default_factory=set)
    unanswered: int = 0

    async def run(self) -> None:
        numbers = iter(range(0, TOTAL, self.step))
        await asyncio.gather(*(self._send(numbers) for _ in range(_SENDERS)))

    async def _send(self, numbers: Any) -> None:
        for number in numbers:
            while not await self._acknowledged(number):
                await asyncio.sleep(_AWAY_S)
            self.acked.update(range(number, number + self.step))

    async def _acknowledged(self, number: int) -> bool:
        try:
            reply = await self.post(self.http, number)
        except httpx.ConnectError:
            return False
        except httpx.HTTPError:
            self.unanswered += 1
            return False
        assert reply.status_code in (202, 207, 503), reply.text
        return reply.status_code != 503  # not taken: to be sent again


async def answers(site: Site) -> str:
    """One a request, by the fast route."""

    async def post(http: httpx.AsyncClient, number: int) -> httpx.Response:
        return await http.post("/v1/responses", json=body_of(number))

    return await call(site, post, Topic.SURVEY_RESPONSES)


async def batches(site: Site) -> str:
    """Ten a request."""

    async def post(http: httpx.AsyncClient, number: int) -> httpx.Response:
        items = [body_of(n) for n in range(number, number + _BATCH)]
        return await http.post("/v1/responses/batch", json=items)

    return await call(site, post, Topic.SURVEY_RESPONSES, step=_BATCH)


async def events(site: Site) -> str:
    """One a request, structured."""

    async def post(http: httpx.AsyncClient, number: int) -> httpx.Response:
        event = call_ended(number, customer={"id": f"c-{number}"})
        headers = {"content-type": "application/cloudevents+json"}
        return await http.post("/v1/events", content=to_structured(event), headers=headers)

    return await call(site, post, Topic.SUPPORT_CALLS)


async def opt_outs(site: Site) -> str:
    """By the link in a mail, while trigger is away."""
    tokens = Tokens([site.fleet.environment["EARSHOT_TOKEN_KEYS"]])

    async def post(http: httpx.AsyncClient, number: int) -> httpx.Response:
        return await http.post(f"/u/{tokens.unsubscribe(f'i-{number}', 'post-call', 'en')}")

    return await call(site, post, Topic.SURVEY_OPTOUTS)


async def call(site: Site, post: Post, topic: Topic, *, step: int = 1) -> str:
    """What was acknowledged stands on the topic; what was sent again says the same."""
    replica = site.fleet.add("ingest")
    async with httpx.AsyncClient(base_url=replica.url, trust_env=False, timeout=20) as http:
        caller = Caller(http, post, step)
        sending = asyncio.create_task(caller.run())
        try:
            await site.die(replica, passes=_PASSES)
            before = set(caller.acked)
            await replica.start()
            await sending
        finally:
            sending.cancel()
    contents: defaultdict[str, list[Any]] = defaultdict(list)
    for one in await site.told(topic):
        contents[one.get("invitation_id") or one["id"]].append(_said(one))
    numbers = Counter(int(name.rpartition("-")[2]) for name in contents)
    assert set(numbers) == caller.acked == set(range(TOTAL))
    assert all(each.count(each[0]) == len(each) for each in contents.values())
    again = sum(len(each) - 1 for each in contents.values())
    assert site.point is not Point.PRODUCED or again  # taken, and the reply did not come
    return (
        f"{len(before)} acknowledged before, {caller.unanswered} requests without a reply; "
        f"{TOTAL} in the end: {TOTAL - len(numbers)} lost, {again} there again under the same id"
    )


def _said(record: dict[str, Any]) -> dict[str, Any]:
    """Without what differs from one delivery of the same to the next."""
    return {k: v for k, v in record.items() if k not in ("received_at", "submission_id", "at")}
