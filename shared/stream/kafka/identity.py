"""Topics' ids: one that was deleted and made again has its old name, and none of its records.

aiokafka speaks metadata up to version 5, which knows names alone; ids came with Kafka 3.1.
"""

import asyncio
from collections.abc import Collection
from io import BytesIO
from typing import Any, Final
from uuid import UUID

from aiokafka.errors import IncompatibleBrokerVersion, KafkaError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from shared.stream.records import KafkaUnavailable

_METADATA: Final = 3
_VERSION: Final = 12
_BOUND_S: Final = 5.0
_NONE: Final = UUID(int=0)


class _Uuid(AbstractType):  # type: ignore[misc]
    @classmethod
    def encode(cls, value: UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> UUID:
        return UUID(bytes=data.read(16))


_TEXT: Final = CompactString("utf-8")
_TAGS: Final = ("tags", TaggedFields)


class _Reply(Response):  # type: ignore[misc]
    API_KEY = _METADATA
    API_VERSION = _VERSION
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32), ("host", _TEXT), ("port", Int32), ("rack", _TEXT), _TAGS
            ),
        ),
        ("cluster_id", _TEXT),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", _TEXT),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        _TAGS,
                    ),
                ),
                ("authorized_operations", Int32),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class _Question(RequestStruct):  # type: ignore[misc]
    API_KEY = _METADATA
    API_VERSION = _VERSION
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _Reply
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", _TEXT), _TAGS)),
        ("allow_auto_topic_creation", Boolean),
        ("include_authorized_operations", Boolean),
        _TAGS,
    )


class _TopicIds(Request[_Question]):  # type: ignore[misc]
    API_KEY = _METADATA

    def __init__(self, names: Collection[str]) -> None:
        self._topics: list[tuple[UUID, str, dict[int, bytes]]] = [
            (_NONE, name, {}) for name in names
        ]

    def build(self, request_struct_class: type[_Question]) -> _Question:
        return request_struct_class(self._topics, False, False, {})


async def topic_ids(client: Any, names: Collection[str]) -> dict[str, str]:
    """The id of each topic; of none where the broker is older than ids. Makes no topic.

    Raises KafkaUnavailable where the answer does not come.
    """
    inner = client._client  # noqa: SLF001 - there is no public way
    node = inner.get_random_node()
    if node is None:
        raise KafkaUnavailable("topic ids: no broker is known")
    try:
        async with asyncio.timeout(_BOUND_S):
            reply = await inner.send(node, _TopicIds(names))
    except (IncompatibleBrokerVersion, NotImplementedError):
        return {}
    except (KafkaError, TimeoutError, OSError) as error:
        raise KafkaUnavailable(f"topic ids: {type(error).__name__}: {error}") from error
    return {topic[1]: str(topic[2]) for topic in reply.topics if topic[2] != _NONE}
