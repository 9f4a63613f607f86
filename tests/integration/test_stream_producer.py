"""What is sent is what can be read: alone, in batches, together, large."""

from collections import defaultdict

from shared.stream import Broker, Outgoing
from shared.stream.kafka import open_producer, read_all
from tests.support.kafka import on_both

TOPIC = "survey-responses"


@on_both
async def test_what_was_sent_is_there_once_whichever_way_it_was_sent(broker: Broker) -> None:
    def records(word: str, count: int) -> list[Outgoing]:
        headers = (("content-type", b"text/plain"),)
        return [Outgoing(TOPIC, b"k%d" % n, f"{word}-{n}".encode(), headers) for n in range(count)]

    large = [Outgoing(TOPIC, b"one", b"%d" % n + b"x" * 200_000) for n in range(5)]
    async with open_producer(broker) as producer:
        await producer.send(records("few", 3))
        await producer.send(records("many", 300))
        await producer.send(records("together", 40), together=True)
        await producer.send(large * 6)

    found = await read_all(broker.bootstrap, f"{broker.prefix}{TOPIC}")
    small = [record for record in found if len(record.value or b"") < 99]
    sent = records("few", 3) + records("many", 300) + records("together", 40)
    assert sorted(r.value or b"" for r in small) == sorted(r.value or b"" for r in sent)
    assert len(found) - len(small) == 30
    assert {record.headers for record in small} == {sent[0].headers}
    assert len({r.partition for r in small if (r.value or b"").startswith(b"together")}) == 1
    homes: dict[bytes | None, set[int]] = defaultdict(set)
    for record in small:
        if not (record.value or b"").startswith(b"together"):
            homes[record.key].add(record.partition)
    assert all(len(partitions) == 1 for partitions in homes.values())
