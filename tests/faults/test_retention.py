"""G15: a consumer behind retention never skips silently: what is gone is counted and told."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random
from signal import SIGCONT, SIGSTOP

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from shared.events import Topic
from shared.stream import Record
from shared.stream.kafka import create_topics, read_all
from tests.faults.conftest import Say
from tests.support.fleet import Fleet, Replica, open_fleet
from tests.support.ground import Ground
from tests.support.load import feed
from tests.support.stream import eventually
from tests.support.tally import has_no_lag, places, tally, until_settled

TOPIC = Topic.SURVEY_RESPONSES
GAP = "earshot_consumer_gap_records_total"
REWOUND = "earshot_consumer_rewound_partitions_total"


@pytest.fixture
async def fleet(ground: Ground, programme: Path, tmp_path: Path) -> AsyncIterator[Fleet]:
    async with open_fleet(ground, tmp_path, programme, EARSHOT_KAFKA_SESSION="20s") as fleet:
        yield fleet


@asynccontextmanager
async def admin(fleet: Fleet) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=fleet.ground.kafka.bootstrap)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def move_log_start(fleet: Fleet, firsts: Mapping[int, int]) -> None:
    """What stood before these offsets is gone, as by retention."""
    name = f"{fleet.prefix}{TOPIC}"
    cuts = {TopicPartition(name, number): RecordsToDelete(at) for number, at in firsts.items()}
    async with admin(fleet) as client:
        await client.delete_records(cuts)


async def offsets_of(fleet: Fleet) -> dict[int, list[Record]]:
    found = defaultdict(list)
    for record in await read_all(fleet.ground.kafka.bootstrap, f"{fleet.prefix}{TOPIC}"):
        found[record.partition].append(record)
    return found


def numbers_of(records: Iterable[Record]) -> set[int]:
    return {int((record.key or b"").removeprefix(b"r-")) for record in records}


async def settled(fleet: Fleet) -> None:
    await until_settled(fleet, "scoring", TOPIC)


def cuts_beyond(
    luck: Random, stands: Mapping[int, int], held: Mapping[int, list[Record]]
) -> dict[int, int]:
    """For most partitions a log start somewhere beyond the place; for one, its very end."""
    cuts = {
        number: luck.randint(stands.get(number, 0), records[-1].offset)
        for number, records in held.items()
        if number % 4
    }
    return cuts | {number: records[-1].offset + 1 for number, records in held.items() if not number}


async def told(replica: Replica) -> int:
    """How many partitions the log says had lost records."""
    return sum(
        "records lost: the broker no longer has them" in line for line in replica.log().splitlines()
    )


async def test_what_was_deleted_while_it_was_down_is_counted_exactly(
    fleet: Fleet, say: Say
) -> None:
    luck = Random(15)
    (scoring,) = await fleet.up("scoring")
    await feed(fleet.broker, range(3_000))
    await settled(fleet)
    await scoring.terminate()
    stands = await places(fleet, "scoring", TOPIC)
    await feed(fleet.broker, range(3_000, 6_000))
    held = await offsets_of(fleet)
    cuts = cuts_beyond(luck, stands, held)
    gone = numbers_of(
        record
        for number, at in cuts.items()
        for record in held[number]
        if stands[number] <= record.offset < at
    )
    await move_log_start(fleet, cuts)

    await scoring.start()
    await settled(fleet)

    found, gap = await tally(fleet, range(6_000)), await scoring.metric(GAP, topic=TOPIC)
    say(f"{len(gone)} deleted unread, {gap:.0f} counted as a gap; {found}")
    assert gone
    assert gap == len(gone)
    assert found.lost == gone
    assert not found.double
    assert await told(scoring) == len([n for n, at in cuts.items() if at > stands[n]])
    await eventually(partial(has_no_lag, scoring))


async def test_what_was_deleted_while_it_stood_still_is_counted_exactly(
    fleet: Fleet, say: Say
) -> None:
    luck = Random(16)
    (scoring,) = await fleet.up("scoring")
    await feed(fleet.broker, range(3_000))
    await settled(fleet)
    stands = await places(fleet, "scoring", TOPIC)
    scoring.signal(SIGSTOP)
    await feed(fleet.broker, range(3_000, 6_000))
    held = await offsets_of(fleet)
    cuts = cuts_beyond(luck, stands, held)
    await move_log_start(fleet, cuts)
    scoring.signal(SIGCONT)

    await settled(fleet)
    await feed(fleet.broker, range(6_000, 7_000))
    await settled(fleet)

    found, gap = await tally(fleet, range(7_000)), await scoring.metric(GAP, topic=TOPIC)
    deleted = numbers_of(
        record for number, at in cuts.items() for record in held[number] if record.offset < at
    )
    say(f"{gap:.0f} counted as a gap; {found}")
    assert gap == len(found.lost) > 0
    assert found.lost <= deleted
    assert not found.double
    assert await told(scoring) > 0


@pytest.mark.parametrize(
    "again",
    [pytest.param(200, id="shorter", marks=pytest.mark.slow), pytest.param(6_000, id="longer")],
)
async def test_a_topic_made_anew_is_read_from_its_beginning_and_told(
    fleet: Fleet, say: Say, again: int
) -> None:
    """Also where the new log has already grown beyond the old place."""
    (scoring,) = await fleet.up("scoring")
    await feed(fleet.broker, range(3_000))
    await settled(fleet)
    await scoring.terminate()
    async with admin(fleet) as client:
        await client.delete_topics([f"{fleet.prefix}{TOPIC}"])
    await create_topics(fleet.ground.kafka.bootstrap, prefix=fleet.prefix)
    numbers = range(3_000, 3_000 + again)
    await feed(fleet.broker, numbers)

    await scoring.start()
    await settled(fleet)

    found = await tally(fleet, range(numbers.stop))
    rewound = await scoring.metric(REWOUND, topic=TOPIC)
    say(f"{found}; {rewound:.0f} partitions told as made anew")
    assert found.exact
    assert rewound == 12
    assert "made anew" in scoring.log()


async def test_a_new_group_begins_at_the_earliest_record(fleet: Fleet, say: Say) -> None:
    await feed(fleet.broker, range(2_000))
    await fleet.up("scoring")
    await settled(fleet)

    found = await tally(fleet, range(2_000))
    say(found)
    assert found.exact
