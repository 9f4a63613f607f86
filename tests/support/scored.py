"""What scoring says of answers beside the counts by probe: its queues, and the topic it writes."""

from collections import Counter
from collections.abc import Iterable

import msgspec

from shared.events import ScoredResponse, Topic
from shared.stream.kafka import read_all
from tests.support.fleet import Fleet
from tests.support.load import POINTS, score_of, segments_of
from tests.support.tally import connect

_SUMS = ", ".join(f"sum(c.p{point})" for point in range(POINTS))
_QUEUES = (
    f'SELECT s."values"[1], {_SUMS} FROM scoring.counts c JOIN scoring.series s ON s.id = c.series'
    " WHERE s.slice = 'queue' GROUP BY 1"
)

Queues = Counter[tuple[str, int]]  # (queue, score)


async def queues(fleet: Fleet) -> Queues:
    """What each queue counts at each point."""
    connection = await connect(fleet.database_url)
    try:
        rows = await connection.fetch(_QUEUES)
    finally:
        await connection.close()
    return Counter(
        {
            (queue, score): int(number)
            for queue, *points in rows
            for score, number in enumerate(points)
            if number
        }
    )


def expected_queues(numbers: Iterable[int]) -> Queues:
    return Counter((segments_of(number)["queue"], score_of(number)) for number in set(numbers))


async def last_told(fleet: Fleet) -> dict[str, ScoredResponse]:
    """The last version of each answer that `scored-responses` holds."""
    topic = f"{fleet.prefix}{Topic.SCORED_RESPONSES}"
    decoder = msgspec.json.Decoder(ScoredResponse)
    found: dict[str, ScoredResponse] = {}
    for record in await read_all(fleet.ground.kafka.bootstrap, topic):
        told = decoder.decode(record.value or b"")
        known = found.get(told.id)
        if known is None or told.version > known.version:
            found[told.id] = told
    return found


def wrongly_told(told: dict[str, ScoredResponse], numbers: Iterable[int]) -> set[str]:
    """Ids that the topic lacks, has without reason, or tells otherwise than they are."""
    right = {f"r-{number}": (score_of(number), segments_of(number)) for number in numbers}
    return {
        name
        for name in right.keys() | told.keys()
        if name not in told
        or name not in right
        or (told[name].score, told[name].segments) != right[name]
    }
