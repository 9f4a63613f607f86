"""Topics' ids: asked of a broker, none where it is too old, weather where it is away."""

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from aiokafka.errors import IncompatibleBrokerVersion, KafkaConnectionError

from shared.stream import KafkaUnavailable
from shared.stream.kafka.identity import topic_ids

ID = UUID("0c0ffee0-0000-4000-8000-000000000001")
NONE = UUID(int=0)


class Inner:
    """The client inside a consumer: answers, or raises, whatever is asked."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer
        self.asked: Any = None

    def get_random_node(self) -> int:
        return 1

    async def send(self, node: int, request: Any) -> Any:
        self.asked = request.prepare({request.API_KEY: (0, 13)})
        if isinstance(self._answer, Exception):
            raise self._answer
        return SimpleNamespace(topics=self._answer)


async def ask(answer: Any) -> dict[str, str]:
    inner = Inner(answer)
    found = await topic_ids(SimpleNamespace(_client=inner), ["p-t", "p-u"])
    assert b"p-t" in inner.asked.encode()
    assert not inner.asked.allow_auto_topic_creation
    return found


async def test_a_topic_without_an_id_is_left_out() -> None:
    topics: list[Any] = [(0, "p-t", ID, False, [], 0, {}), (3, "p-u", NONE, False, [], 0, {})]

    assert await ask(topics) == {"p-t": str(ID)}


@pytest.mark.parametrize("error", [IncompatibleBrokerVersion("old"), NotImplementedError()])
async def test_an_old_broker_has_none(error: Exception) -> None:
    assert await ask(error) == {}


@pytest.mark.parametrize("error", [KafkaConnectionError("away"), TimeoutError(), OSError()])
async def test_a_broker_that_is_away_is_weather(error: Exception) -> None:
    with pytest.raises(KafkaUnavailable):
        await ask(error)


async def test_no_broker_that_is_known_is_weather() -> None:
    inner = SimpleNamespace(get_random_node=lambda: None)

    with pytest.raises(KafkaUnavailable):
        await topic_ids(SimpleNamespace(_client=inner), ["p-t"])
