"""G10: a record that nobody can take blocks nothing and loses nothing but itself."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from random import Random

import httpx

from shared.clock import utc_now
from shared.cloudevents import to_structured
from shared.events import Event, SurveyOptout, Topic
from shared.stream.kafka import read_all
from shared.wire import encode
from tests.faults.conftest import Say
from tests.support.alerts import scored
from tests.support.fleet import Fleet, Replica, open_fleet
from tests.support.ground import Ground
from tests.support.load import BEGAN, record_of
from tests.support.poison import PICKY, pour, some_of_each
from tests.support.scoring import invitation
from tests.support.stream import eventually
from tests.support.tally import connect, ends, fetch, has_no_lag, places, tally, until_settled
from tests.support.trigger import call_ended

READERS = {
    "scoring": (Topic.SURVEY_RESPONSES, Topic.SURVEY_INVITATIONS),
    "trigger": (
        Topic.TRANSACTIONS,
        Topic.SUPPORT_CALLS,
        Topic.SURVEY_OPTOUTS,
        Topic.SCORED_RESPONSES,
    ),
    "alerts": (Topic.SCORED_RESPONSES,),
}
GOOD = 1_000
COUNTED = range(1_000)
OF_EACH = GOOD // 100
LAG = "earshot_consumer_lag_records"
PAUSED = "earshot_consumer_topic_paused"
UNKNOWN_OPTOUTS = "earshot_trigger_unknown_optouts_total"

# trigger's own invitations come as well
ASKED = "SELECT id FROM scoring.answers WHERE revision > 0 AND length(id) < 10"

Written = tuple[Topic, bytes | None, bytes | None]  # topic, key, value
Letter = tuple[str, bytes | None, str]  # topic, key, reason


async def letters(fleet: Fleet) -> Counter[Letter]:
    topic = f"{fleet.prefix}{Topic.DEAD_LETTERS}"
    found: Counter[Letter] = Counter()
    for record in await read_all(fleet.ground.kafka.bootstrap, topic):
        said = {name: (text or b"").decode() for name, text in record.headers}
        found[said["earshot-topic"], record.key, said["earshot-reason"]] += 1
    return found


async def make_picky(fleet: Fleet) -> None:
    connection = await connect(fleet.database_url)
    try:
        await connection.execute(PICKY)
    finally:
        await connection.close()


def good_records() -> list[Written]:
    """So many on each topic; scoring writes as many again to `scored-responses`."""
    now = utc_now()
    return [
        written
        for number in range(GOOD)
        for written in (
            (Topic.SURVEY_RESPONSES, *record_of(number)[1:3]),
            (Topic.SURVEY_INVITATIONS, b"", encode(invitation(f"i-{number}"))),
            (Topic.SUPPORT_CALLS, b"", to_structured(call_ended(number, at=now))),
            (Topic.TRANSACTIONS, b"", to_structured(bought(number, now))),
            (Topic.SURVEY_OPTOUTS, b"", encode(SurveyOptout(invitation_id=f"i-{number}", at=now))),
            (Topic.SCORED_RESPONSES, b"", encode(scored(number, BEGAN, detractor=False))),
        )
    ]


def bought(number: int, at: datetime) -> Event:
    data = {"customer": {"id": f"c-{number}"}, "transaction": {"id": f"o-{number}"}}
    return Event(id=f"buy-{number}", source="/shop", type="transaction.paid", time=at, data=data)


def ids(prefix: str, numbers: Iterable[int]) -> list[str]:
    return sorted(f"{prefix}-{number}" for number in numbers)


async def sum_of(fleet: Fleet, service: str, metric: str) -> float:
    replicas = [one for one in fleet.replicas if one.service == service]
    return sum([await one.metric(metric) for one in replicas])


async def test_bad_records_become_letters_and_no_good_one_is_lost(
    ground: Ground, programme: Path, tmp_path: Path, say: Say
) -> None:
    readers = Counter(topic for group in READERS.values() for topic in group)
    topics = list(readers)
    bad, numbers = some_of_each(topics, OF_EACH), range(GOOD)
    records = [*good_records(), *((kind.topic, key, kind.value) for kind, key in bad)]
    Random(10).shuffle(records)
    async with open_fleet(ground, tmp_path, programme) as fleet:
        await make_picky(fleet)
        await asyncio.gather(*(fleet.up(service) for service in READERS))
        await pour(fleet, records)
        for service, read in READERS.items():
            for topic in read:
                await until_settled(fleet, service, topic)

        found, answers = await letters(fleet), await tally(fleet, numbers)
        expected = Counter(  # a letter of each who reads it
            {(kind.topic, key, kind.reason): readers[kind.topic] for kind, key in bad}
        )
        say(
            f"{len(expected)} bad records of {len({kind.name for kind, _ in bad})} kinds on "
            f"{len(topics)} topics, {found.total()} letters; answers: {answers}"
        )
        assert found == expected
        assert answers.exact
        for replica in fleet.replicas:
            await eventually(partial(has_no_lag, replica))
        assert await fetch(fleet, ASKED) == ids("i", numbers)
        # nobody was asked whom they name; each try of a batch that poison ends counts them anew
        assert await sum_of(fleet, "trigger", UNKNOWN_OPTOUTS) >= GOOD
        events = [*ids("buy", numbers), *ids("evt", numbers)]
        assert await fetch(fleet, "SELECT id FROM trigger.events") == events
        assert await fetch(fleet, "SELECT event_id FROM trigger.decisions") == events
        told = [*(f"r-{n:06}" for n in numbers), *(f"r-{n}" for n in numbers)]
        assert await fetch(fleet, "SELECT id FROM alerts.counted") == sorted(told)
        of_surveys = sorted(f"r-{n:06}" for n in numbers)  # the others name none
        assert await fetch(fleet, "SELECT id FROM trigger.answers") == of_surveys


async def test_a_topic_that_is_mostly_poison_waits_and_the_others_go_on(
    ground: Ground, programme: Path, tmp_path: Path, say: Say
) -> None:
    topic, malformed = Topic.SURVEY_INVITATIONS, 250
    bad = [(topic, f"bad {number}".encode(), b"{") for number in range(malformed)]
    good = [(topic, b"", encode(invitation(f"i-{number}"))) for number in range(500)]
    async with open_fleet(ground, tmp_path, programme, EARSHOT_KAFKA_SESSION="2s") as fleet:
        (scoring,) = await fleet.up("scoring")
        await pour(fleet, bad)
        await eventually(partial(paused, scoring, topic))
        await pour(fleet, [*good, *((Topic.SURVEY_RESPONSES, *record_of(n)[1:3]) for n in COUNTED)])
        await until_settled(fleet, "scoring", Topic.SURVEY_RESPONSES)

        first = (await letters(fleet)).total()
        assert (await tally(fleet, COUNTED)).exact
        assert not await scoring.ready()
        waiting = malformed + len(good) - first
        await eventually(partial(has_lag, scoring, topic, waiting))
        lives = [first, *[await one_more_life(fleet, scoring, topic) for _ in range(2)]]

        found = await letters(fleet)
        say(f"{malformed} of {malformed} bad: paused after {first}, by life {lives}")
        assert first == 101  # more than half of 200
        assert found == {(topic, key, "bad-json"): 1 for _, key, _ in bad}
        assert await fetch(fleet, ASKED) == ids("i", range(len(good)))


async def has_lag(replica: Replica, topic: str, records: int) -> bool:
    return await replica.metric(LAG, topic=topic) == records


async def paused(replica: Replica, topic: str) -> bool:
    return await replica.metric(PAUSED, topic=topic) == 1


async def one_more_life(fleet: Fleet, replica: Replica, topic: str) -> int:
    """Start it again, as an operator does who has looked; how many letters there are then."""
    replica.kill()
    replica.launch()
    await eventually(partial(at_rest, fleet, replica, topic), within_s=30.0)
    return (await letters(fleet)).total()


async def at_rest(fleet: Fleet, replica: Replica, topic: str) -> bool:
    """Whether it has paused the topic again, or settled it."""
    with suppress(httpx.HTTPError):
        if await paused(replica, topic):
            return True
    stands, wanted = await places(fleet, "scoring", topic), await ends(fleet, topic)
    return all(stands.get(number, 0) >= end for number, end in wanted.items())
