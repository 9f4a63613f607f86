"""Which Kafka the settings mean, and the id of its log."""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from shared.kafka_settings import KafkaAccess
from shared.process import CannotStart
from shared.settings import Settings
from shared.stream.kafka import cluster_id, topic_faults
from shared.stream.pipeline import Check
from shared.stream.records import Broker, KafkaUnavailable

_log = structlog.get_logger()
_PATIENCE_S: Final = 60.0
_SOON_S: Final = 2.5  # before `/readyz` takes silence for a fault: here it may be none


async def find_broker(settings: Settings) -> Broker:
    """Ask Kafka for its id where the settings name none; wait up to a minute for it.

    Offsets belong to a log, so a consumer cannot begin without the id. Raises CannotStart.
    """
    log = settings.kafka_log
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _PATIENCE_S
    while not log:
        try:
            log = await cluster_id(settings.kafka_bootstrap, settings.security)
        except KafkaUnavailable as error:
            if loop.time() > deadline:
                raise CannotStart(f"Kafka at {settings.kafka_bootstrap}: {error}") from None
            _log.warning("waiting for kafka", bootstrap=settings.kafka_bootstrap, error=str(error))
            await asyncio.sleep(1)
    return broker_of(settings, log)


def broker_of(settings: KafkaAccess, log: str = "") -> Broker:
    """The Kafka that the settings mean; who stores no offsets needs no `log`."""
    return Broker(
        settings.kafka_bootstrap,
        log or settings.kafka_log,
        settings.kafka_topic_prefix,
        settings.kafka_embedded,
        settings.kafka_session.total_seconds(),
        settings.security,
    )


def topics_check(broker: Broker, topics: Sequence[str], *, away_is_a_fault: bool = True) -> Check:
    """A part of `/readyz`: names topics missing or too small, or says Kafka is away."""

    async def check() -> str | None:
        try:
            async with asyncio.timeout(_SOON_S):
                faults = await topic_faults(
                    broker.bootstrap, topics, prefix=broker.prefix, security=broker.security
                )
        except (KafkaUnavailable, TimeoutError) as error:
            said = str(error) or f"no answer within {_SOON_S:g} s"
            return f"Kafka is away: {said}" if away_is_a_fault else None
        return "; ".join(faults) or None

    return check
