"""The guard around a write of aiokafka: uvloop refuses one to a connection that was reset."""

from types import SimpleNamespace

import pytest
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

from shared.stream.kafka import guards


@pytest.mark.parametrize(
    ("raised", "closes"),
    [
        (RuntimeError("unable to perform operation; the handler is closed"), True),
        (KafkaConnectionError("no connection to broker"), False),
    ],
)
async def test_a_write_to_a_connection_that_was_reset_is_weather(
    raised: Exception, closes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[CloseReason] = []

    def close(reason: CloseReason) -> None:
        closed.append(reason)

    def write(*_: object) -> None:
        raise raised

    monkeypatch.setattr(guards, "_write", write)

    with pytest.raises(KafkaConnectionError):
        AIOKafkaConnection.send(SimpleNamespace(host="h", close=close), object())

    assert closed == [CloseReason.CONNECTION_BROKEN] * closes
