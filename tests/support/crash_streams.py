"""Each consumer is killed at each step of its batches, while its topic grows."""

from collections import Counter, defaultdict
from datetime import timedelta

from shared.clock import utc_now
from shared.cloudevents import to_structured
from shared.events import Topic
from shared.failpoints import Point
from shared.stream import Outgoing, Record
from shared.wire import encode
from tests.support.alerts import START, scored
from tests.support.crash_site import Site, committed
from tests.support.load import record_of
from tests.support.tally import Tally, compare, counted, places, until_settled
from tests.support.trigger import call_ended

STEPS = (
    Point.FETCHED,
    Point.DECODED,
    Point.TRANSACTION_OPEN,
    Point.OFFSET_MOVED,
    Point.ROWS_WRITTEN,
    Point.PRODUCED,
    Point.DATABASE_COMMITTED,
    Point.KAFKA_COMMITTED,
)
_LINE = 40  # answers; alerts judges none with fewer than 50, so that each keeps its minute
_CHUNK = 20
_STRUCTURED = (("content-type", b"application/cloudevents+json"),)


async def _check_committed(site: Site, service: str, topic: str) -> None:
    """Kafka never hears of more than the database holds."""
    stands = await places(site.fleet, service, topic)
    told = await committed(site.fleet, f"earshot-{service}", topic)
    assert all(offset <= stands[number] for number, offset in told.items())
    if site.point is Point.KAFKA_COMMITTED:
        assert any(told.values())


def number_in(record: Record) -> int | None:
    """Whose record it is; None for poison."""
    words = (record.key or b"").decode().rpartition("-")
    return None if words[0] == "poison" else int(words[2])


async def scoring(site: Site) -> str:
    """Answers, one in 20 twice, and poison: counted once each, told under one version each."""
    fed: list[int] = []

    def chunk(n: int) -> list[Outgoing]:
        first = n * _CHUNK
        fed.extend(range(first, first + _CHUNK))
        poison = Outgoing(Topic.SURVEY_RESPONSES, f"poison-{n}".encode(), b"{")
        return [*map(record_of, range(first, first + _CHUNK)), record_of(first // 2), poison]

    replica = site.fleet.add("scoring")
    async with site.flowing(chunk):
        await site.die(replica, passes=3 if site.point is Point.PRODUCED else 2)
    before = await site.settled("scoring", Topic.SURVEY_RESPONSES)
    half = compare(_numbers(before), await counted(site.fleet.database_url))
    told_early = {one["id"] for one in await site.told(Topic.SCORED_RESPONSES)}
    ahead = told_early - {f"r-{number}" for number in _numbers(before)}
    assert half.exact, f"at the crash: {half}"
    await _check_committed(site, "scoring", Topic.SURVEY_RESPONSES)
    if site.point is Point.PRODUCED:
        assert ahead  # what Kafka has and the database lost
    elif site.point is not Point.KAFKA_COMMITTED:  # which goes on beside the next batch
        assert not ahead

    await site.revive(replica)
    await until_settled(site.fleet, "scoring", Topic.SURVEY_RESPONSES)
    found = compare(fed, await counted(site.fleet.database_url))
    twice = await _told_again(site, fed)
    letters = Counter(record.key for record in await site.records(Topic.DEAD_LETTERS))
    poison = {f"poison-{n}".encode() for n in range(len(fed) // _CHUNK)}
    assert found.exact, found
    assert set(letters) == poison
    return f"{half.expected} settled before; {found}; told again {twice}"


def _numbers(records: list[Record]) -> set[int]:
    return {number for record in records if (number := number_in(record)) is not None}


async def _told_again(site: Site, fed: list[int]) -> int:
    versions: defaultdict[str, list[str]] = defaultdict(list)
    for one in await site.told(Topic.SCORED_RESPONSES):
        versions[one["id"]].append(one["version"])
    assert set(versions) == {f"r-{number}" for number in fed}
    assert all(len(set(each)) == 1 for each in versions.values())
    return sum(len(each) - 1 for each in versions.values())


def call(number: int, **customer: str | None) -> Outgoing:
    """A call that is asked about, of a customer of its own."""
    who = {"id": f"c-{number}", **customer}
    event = call_ended(number, at=utc_now() - timedelta(seconds=1), customer=who)
    key = f"c-{number}".encode()
    return Outgoing(Topic.SUPPORT_CALLS, key, to_structured(event), _STRUCTURED)


BACKDATE = """
    UPDATE trigger.invitations SET claimed_at = claimed_at - interval '1 minute'
    WHERE status = 'sending' RETURNING id
"""  # half a minute after its claim a letter may be taken by any worker
UNTOLD = """
    SELECT id FROM trigger.invitations WHERE status IN ('scheduled', 'sending') OR NOT published
"""


async def trigger(site: Site) -> str:
    """Events, one in five twice: a decision each, and each customer is asked once."""
    fed: list[int] = []

    def chunk(n: int) -> list[Outgoing]:
        fed.extend(range(n * 4, n * 4 + 4))
        return [*map(call, range(n * 4, n * 4 + 4)), call(n * 2)]

    replica = site.fleet.add("trigger")
    async with site.flowing(chunk):
        await site.die(replica, passes=1 if site.point is Point.PRODUCED else 2)
    events = {number_in(record) for record in await site.settled("trigger", Topic.SUPPORT_CALLS)}
    decided = await site.rows("SELECT event_id FROM trigger.decisions")
    assert sorted(decided) == sorted((f"evt-{number}",) for number in events)
    await _check_committed(site, "trigger", Topic.SUPPORT_CALLS)

    await site.rows(BACKDATE)
    await site.revive(replica)
    await until_settled(site.fleet, "trigger", Topic.SUPPORT_CALLS)
    await site.until_none(UNTOLD)
    asked = await site.rows("SELECT customer_id, id, status FROM trigger.invitations")
    mails = {path.stem for path in (site.fleet.var / "mail").glob("*.eml")}
    found = compare(fed, Counter(int(customer[2:]) for customer, _, _ in asked))
    assert found.exact, found
    assert {status for *_, status in asked} == {"sent"}
    assert mails == {id_ for _, id_, _ in asked}
    again = await _decided_again(site, {id_: customer for customer, id_, _ in asked})
    return f"{len(events)} decided before; {found}; decisions told again {again}"


async def _decided_again(site: Site, customers: dict[str, str]) -> int:
    told = await site.told(Topic.SURVEY_DECISIONS)
    first = {one["event_id"]: one for one in told}
    assert {one["customer_id"] for one in told} == set(customers.values())
    assert all(customers[one["invitation_id"]] == one["customer_id"] for one in told)
    assert all(one["reason"] == "asked" for one in told)
    return len(told) - len(first)


async def alerts(site: Site) -> str:
    """Scored answers, one in 20 twice, each alone in its minute: in that sum once."""
    fed: list[int] = []

    def one(n: int) -> Outgoing:
        at = START + timedelta(minutes=n)
        answer = scored(n, at, detractor=n % 3 == 0, survey=f"s-{n // _LINE}")
        return Outgoing(Topic.SCORED_RESPONSES, answer.id.encode(), encode(answer))

    def chunk(n: int) -> list[Outgoing]:
        first = n * _CHUNK
        fed.extend(range(first, first + _CHUNK))
        return [*map(one, range(first, first + _CHUNK)), one(first // 2)]

    replica = site.fleet.add("alerts")
    async with site.flowing(chunk):
        await site.die(replica, passes=2)
    half = await _ticked(site, _numbers(await site.settled("alerts", Topic.SCORED_RESPONSES)))
    assert half.exact, f"at the crash: {half}"
    await _check_committed(site, "alerts", Topic.SCORED_RESPONSES)

    await site.revive(replica)
    await until_settled(site.fleet, "alerts", Topic.SCORED_RESPONSES)
    found = await _ticked(site, fed)
    assert found.exact, found
    return f"{half.expected} settled before; {found}"


async def _ticked(site: Site, wanted: set[int] | list[int]) -> Tally:
    first = int(START.timestamp()) // 60
    sums = await site.rows("SELECT minute, survey, answers, detractors FROM alerts.ticks")
    numbers: Counter[int] = Counter()
    for minute, survey, answers, detractors in sums:
        number = minute - first
        numbers[number] += answers
        assert survey == f"s-{number // _LINE}"
        assert detractors == answers * (number % 3 == 0)
    return compare(wanted, numbers)
