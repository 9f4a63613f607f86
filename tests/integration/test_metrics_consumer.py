"""What a consumer shows of how far behind it is."""

from collections.abc import AsyncIterator, Iterator

import pytest

from shared.db import open_engine
from shared.embedded.system import Embedded
from shared.stream import KafkaUnavailable
from tests.support.embedded import cloned_database
from tests.support.stream import TOPIC, Rig, eventually, make_tables


@pytest.fixture(scope="module")
def module_database_url(servers: Embedded) -> Iterator[str]:
    with cloned_database(servers.database_url, "template1") as url:
        yield url


@pytest.fixture
async def rig(module_database_url: str) -> AsyncIterator[Rig]:
    async with open_engine(module_database_url, schema="public") as engine:
        await make_tables(engine)
        yield Rig(engine)


def shown(rig: Rig, name: str, **labels: str) -> float | None:
    return rig.registry.get_sample_value(f"earshot_consumer_{name}", labels)


async def test_what_was_settled_is_shown_with_its_age(rig: Rig) -> None:
    rig.source.append(TOPIC, b"a", b"b", b"c")

    async with rig.running():
        await rig.until(3)
        await eventually(lambda: shown(rig, "lag_records", topic=TOPIC) == 0)
        await eventually(lambda: (shown(rig, "lag_seconds", topic=TOPIC) or 99) < 1)

    assert shown(rig, "reading") == 1
    assert shown(rig, "records_total", topic=TOPIC, outcome="ok") == 3
    assert shown(rig, "record_age_seconds_count", topic=TOPIC) == 3
    assert shown(rig, "record_age_seconds_bucket", topic=TOPIC, le="7200.0") == 0  # they are old


async def test_while_kafka_is_away_it_reads_nothing_and_its_age_grows(rig: Rig) -> None:
    assert shown(rig, "reading") == 0
    rig.source.append(TOPIC, b"a")
    async with rig.running():
        await rig.until(1)
        await eventually(lambda: shown(rig, "reading") == 1)
        rig.source.faults += [KafkaUnavailable("away")] * 20

        await eventually(lambda: shown(rig, "retries_total") == 4)  # after 0.7 s

        assert shown(rig, "reading") == 0
        assert (shown(rig, "lag_seconds", topic=TOPIC) or 0) > 0.6
