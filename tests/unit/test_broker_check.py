"""Whether Kafka is there, as `/readyz` asks: a broker that hangs is one that is away."""

import asyncio
from collections.abc import Sequence

import pytest

from shared import broker as module
from shared.stream import Broker


@pytest.mark.parametrize(
    ("away_is_a_fault", "said"), [(True, "Kafka is away: no answer within 0.01 s"), (False, None)]
)
async def test_a_broker_that_hangs_is_away(
    monkeypatch: pytest.MonkeyPatch, away_is_a_fault: bool, said: str | None
) -> None:
    async def hang(bootstrap: str, topics: Sequence[str], **_: object) -> list[str]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(module, "topic_faults", hang)
    monkeypatch.setattr(module, "_SOON_S", 0.01)
    check = module.topics_check(Broker("b:1", "log"), ["t"], away_is_a_fault=away_is_a_fault)

    assert await check() == said
