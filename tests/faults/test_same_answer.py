"""G2: one answer is counted once, however often it is sent; any order of the same ends alike."""

import asyncio
import json
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import pytest

from shared.events import Topic
from shared.stream.kafka import read_all
from shared.tokens import Tokens
from tests.faults.conftest import Say
from tests.support.doors import SURVEY, TOKEN_KEY, Door, parcel_of
from tests.support.fleet import Fleet, open_fleet
from tests.support.ground import Ground
from tests.support.load import BEGAN, POINTS, PROBES, body_of
from tests.support.tally import connect, counted, fetch, tally, until_settled

AT_ONCE: Final = 50
UNHEARD: Final = range(1, 21)
# What one customer says of one thing: (minutes, score, comment). Three of the newest are a tie.
SAID: Final = (
    (10, 3, None),
    (20, 7, None),
    (20, 8, None),
    (15, 1, "on the way"),
    (20, 7, "again"),
    (5, 9, None),
)
CUSTOMERS: Final = 20
# where the page's answer and the call centre's are counted, whatever they scored
_INVITED: Final = (
    f"SELECT {' + '.join(f'sum(p{point})' for point in range(POINTS))} FROM scoring.counts c"
    f" JOIN scoring.series s ON s.id = c.series WHERE s.survey = '{SURVEY}' AND s.slice = ''"
)


async def test_fifty_at_once_and_what_is_sent_again_count_once(
    ground: Ground, programme: Path, tmp_path: Path, say: Say
) -> None:
    async with open_fleet(ground, tmp_path, programme) as fleet:
        (ingest,), _ = await asyncio.gather(fleet.up("ingest"), fleet.up("scoring"))
        url = f"{ingest.url}/v1/responses"
        replies = await asyncio.gather(
            *(fleet.http.post(url, json=body_of(0)) for _ in range(AT_ONCE))
        )
        for number in UNHEARD:
            await send_and_leave(url, body_of(number))
        replies += [await fleet.http.post(url, json=body_of(number)) for number in UNHEARD]
        await invited_twice(fleet, ingest.url)
        await until_settled(fleet, "scoring", Topic.SURVEY_RESPONSES)
        counts = await tally(fleet, [0, *UNHEARD])
        invited = [row for row in await rows(fleet) if row["id"].startswith("i-")]
        by_channel = [int(count) for count in await fetch(fleet, _INVITED)]
        written = await times_written(fleet)
        say(
            f"{AT_ONCE} of one id at once, {len(UNHEARD)} sent again after their reply was lost: "
            f"{counts}; the least often written {min(written[n] for n in UNHEARD)} times; "
            f"by two channels: {len(invited)} answer, counted {sum(by_channel)} times"
        )
        assert {(r.status_code, r.text.replace(r.json()["id"], "")) for r in replies} == {
            (202, '{"id":"","status":"accepted"}')
        }
        assert counts.exact
        assert len(invited) == 1
        assert by_channel == [1]
        assert {number: written[number] for number in UNHEARD} == dict.fromkeys(UNHEARD, 2)


@pytest.mark.parametrize(
    "orders", [6, pytest.param(100, marks=(pytest.mark.slow, pytest.mark.timeout(600)))]
)
async def test_any_order_of_the_same_submissions_ends_alike(
    ground: Ground, programme: Path, tmp_path: Path, say: Say, orders: int
) -> None:
    luck = random.Random(orders)
    async with open_fleet(ground, tmp_path, programme) as fleet:
        (ingest,), _ = await asyncio.gather(fleet.up("ingest"), fleet.up("scoring", 2))
        sending = [send_in_order(fleet.http, ingest.url, each, luck) for each in range(orders)]
        sent = sum(await asyncio.gather(*sending))
        await until_settled(fleet, "scoring", Topic.SURVEY_RESPONSES)
        ends: dict[int, set[tuple[Any, ...]]] = defaultdict(set)
        for row in await rows(fleet):
            _, _, customer = row["id"].split("-")
            ends[int(customer)].add((row["answered_at"], row["digest"], row["score"]))
        found = await counted(fleet.database_url, "relationship")
        wanted = Counter(
            {score * PROBES + who: orders for who, end in ends.items() for *_, score in end}
        )
        winners = Counter(score for end in ends.values() for *_, score in end)
        say(
            f"{sent} submissions of {CUSTOMERS} answers in {orders} orders: "
            f"{sum(len(end) - 1 for end in ends.values())} ended otherwise, "
            f"{sum((found - wanted).values())} counted too much, "
            f"{sum((wanted - found).values())} too little; ties were won by {dict(winners)}"
        )
        assert len(ends) == CUSTOMERS
        newest = BEGAN + timedelta(minutes=20)
        assert {(len(end), *{at for at, *_ in end}) for end in ends.values()} == {(1, newest)}
        assert len(winners) > 1
        assert found == wanted


async def send_and_leave(url: str, body: dict[str, Any]) -> None:
    """Send a whole request and close: ingest takes it, and its reply finds nobody."""
    parts, content = urlsplit(url), json.dumps(body).encode()
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = f"POST {parts.path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(content)}\r\n\r\n"
    writer.write(head.encode() + content)
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def times_written(fleet: Fleet) -> Counter[int]:
    """How often each plain answer is on its topic."""
    topic = f"{fleet.prefix}{Topic.SURVEY_RESPONSES}"
    records = await read_all(fleet.ground.kafka.bootstrap, topic)
    ids = [json.loads(record.value or b"")["id"] for record in records]
    return Counter(int(name[2:]) for name in ids if name.startswith("r-"))


async def invited_twice(fleet: Fleet, url: str) -> None:
    """By the survey's page and by a call centre that asked the same customer."""
    page = parcel_of(Door.PAGE, 1, Tokens([TOKEN_KEY]))
    by_page = await fleet.http.post(f"{url}{page.path}", **page.content)
    by_phone = await fleet.http.post(
        f"{url}/v1/responses",
        json={"invitation_id": page.ids[0], "survey": "post-call", "answers": {"score": 2}},
    )
    assert (by_page.status_code, by_phone.status_code) == (303, 202)


async def send_in_order(http: httpx.AsyncClient, url: str, order: int, luck: random.Random) -> int:
    """All that is said, some of it twice, shuffled, alone and in batches."""
    bodies = [body(order, customer, *said) for customer in range(CUSTOMERS) for said in SAID]
    bodies += luck.sample(bodies, len(bodies) // 4)
    luck.shuffle(bodies)
    sent = 0
    while sent < len(bodies):
        part = bodies[sent : sent + luck.randint(1, 12)]
        await post(http, url, part)
        sent += len(part)
    return sent


def body(
    order: int, customer: int, minutes: int, score: int, comment: str | None
) -> dict[str, Any]:
    """Only the answer's id tells one order from another, and it is no part of the content."""
    return {
        "id": f"s-{customer}",
        "invitation_id": f"i-{order}-{customer}",
        "survey": "relationship",
        "segments": {"probe": f"p{customer:04}"},
        "answers": {"score": score, "comment": comment},
        "answered_at": (BEGAN + timedelta(minutes=minutes)).isoformat(),
    }


async def post(http: httpx.AsyncClient, url: str, bodies: Sequence[dict[str, Any]]) -> None:
    if len(bodies) == 1:
        reply = await http.post(f"{url}/v1/responses", json=bodies[0])
        assert reply.status_code == 202, reply.text
        return
    reply = await http.post(f"{url}/v1/responses/batch", json=list(bodies))
    assert {item["status"] for item in reply.json()["items"]} == {"accepted"}, reply.text


async def rows(fleet: Fleet) -> list[Any]:
    connection = await connect(fleet.database_url)
    try:
        query = "SELECT id, answered_at, digest, score FROM scoring.answers"
        return list(await connection.fetch(query))
    finally:
        await connection.close()
