"""What a consumer shows of how far behind it is."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.stream import KafkaUnavailable
from tests.support.stream import TOPIC, Rig, engine, eventually, module_database_url

__all__ = ["engine", "module_database_url"]


@pytest.fixture
def rig(engine: AsyncEngine) -> Rig:
    return Rig(engine)


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
