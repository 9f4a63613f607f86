"""One poll is one transaction: the loop owns delivery, the handler knows nothing of it.

    poll      at most 2,000 records of all partitions, each partition in order
    decode    what a decoder refuses becomes a dead letter, the rest goes on
    settle    begin; compare-and-set the offsets; handle; send; commit

Weather (database or Kafka away) aborts the batch; it is tried again for ever while the consumer
stays a member of its group. A data error or a bug halves the batch until one record stands alone;
that one is a dead letter. Weather never ends the loop.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import Final

import structlog

from shared.errors import Refused
from shared.stream.batch import Item, decode_all, halves, settle
from shared.stream.deadletter import PoisonGauge
from shared.stream.pipeline import Health, Pipeline, Source
from shared.stream.records import Record
from shared.stream.verdict import Verdict, judge

_log = structlog.get_logger()

_POLL_S: Final = 0.2
_TELL_EVERY_S: Final = 0.2
_TRICKLE_S: Final = 60.0
_FIRST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 10.0


async def consume(
    source: Source, pipeline: Pipeline, stop: asyncio.Event, health: Health | None = None
) -> None:
    """Settle polls until `stop` is set; the batch under way is finished first."""
    await _Loop(source, pipeline, stop, health or Health()).run()


class _Loop:
    def __init__(
        self, source: Source, pipeline: Pipeline, stop: asyncio.Event, health: Health
    ) -> None:
        self._source = source
        self._pipeline = pipeline
        self._stop = stop
        self._health = health
        self._poison = PoisonGauge()
        self._trickle_at: dict[str, float] = {}
        self._told_at = 0.0
        self._wait_s = _FIRST_WAIT_S

    async def run(self) -> None:
        while not self._stop.is_set():
            self._health.turned_at = time.monotonic()
            self._hold_poisoned_topics()
            records = await self._poll()
            if records:
                await self._settle_all(records)
            if time.monotonic() - self._told_at > _TELL_EVERY_S:
                await self._tell()
        await self._tell()

    async def _poll(self) -> list[Record]:
        try:
            records = await self._source.poll(_POLL_S)
        except Exception as error:
            if judge(error) is not Verdict.WEATHER:
                raise
            await self._wait_out(error)
            return []
        if not records:
            self._fair_weather()
        return records

    async def _settle_all(self, records: Sequence[Record]) -> None:
        items, left = decode_all(records, self._pipeline, self._poison, self._trickled())
        waiting: deque[list[Item]] = deque([items] if items else [])
        while waiting:
            batch = waiting.popleft()
            try:
                with self._pipeline.metrics.batch_seconds.time():
                    await settle(batch, self._source, self._pipeline)
            except Exception as error:  # noqa: BLE001 - the one place that judges every fault
                if not await self._retry(error, batch, waiting):
                    return
            else:
                self._fair_weather()
                self._pipeline.after_commit()
        for home in left:
            self._source.rewind(home)

    async def _retry(self, error: Exception, batch: list[Item], waiting: deque[list[Item]]) -> bool:
        """Put back what is to be tried again; False where we stop before it could be."""
        verdict = judge(error)
        alone = len(batch) == 1
        if verdict is Verdict.WEATHER or (alone and batch[0].refused is not None):
            if self._stop.is_set():
                return False
            waiting.appendleft(batch)
            await self._wait_out(error)
        elif alone:
            record = batch[0].record
            _log.error(
                "record became a dead letter", topic=record.topic, partition=record.partition,
                offset=record.offset, verdict=verdict, exc_info=error,
            )  # fmt: skip
            self._poison.note(record.topic, poison=True)
            refused = Refused(verdict.reason, f"{type(error).__name__} while it was processed")
            waiting.appendleft([Item(record, refused=refused)])
        else:
            waiting.extendleft(reversed(halves(batch)))
        return True

    async def _wait_out(self, error: Exception) -> None:
        """Take nothing for a while, doubling up to 10 s, and stay a member of the group."""
        wait_s, self._wait_s = self._wait_s, min(self._wait_s * 2, _LONGEST_WAIT_S)
        self._pipeline.metrics.retries.inc()
        if self._health.weather is None:
            _log.warning(
                "stopped by weather; trying again", error=f"{type(error).__name__}: {error}"[:300]
            )
        self._health.weather = f"{type(error).__name__}: {error}"[:300]
        until = time.monotonic() + wait_s
        while (rest := until - time.monotonic()) > 0 and not self._stop.is_set():
            self._health.turned_at = time.monotonic()
            try:
                await self._source.idle(min(rest, 0.5))
            except Exception as worse:
                if judge(worse) is not Verdict.WEATHER:
                    raise
                await asyncio.sleep(min(rest, 0.5))

    def _fair_weather(self) -> None:
        if self._health.weather is not None:
            _log.info("weather has passed")
        self._health.weather = None
        self._wait_s = _FIRST_WAIT_S

    # -------------------------------------------------------- topics that are mostly poison
    def _hold_poisoned_topics(self) -> None:
        now = time.monotonic()
        for topic in self._health.paused - self._poison.tripped:
            _log.info("topic resumed", topic=topic)
            self._source.resume_topic(topic)
            self._pipeline.metrics.paused.labels(topic).set(0)
        for topic in self._poison.tripped - self._health.paused:
            _log.error("topic paused: most of its last 200 records are poison", topic=topic)
            self._trickle_at[topic] = now + _TRICKLE_S
            self._pipeline.metrics.paused.labels(topic).set(1)
        self._health.paused = set(self._poison.tripped)
        for topic in self._health.paused:
            if now >= self._trickle_at[topic]:
                self._source.resume_topic(topic)
            else:
                self._source.pause_topic(topic)

    def _trickled(self) -> set[str]:
        """Paused topics of which one record may be tried now; their next minute starts."""
        now = time.monotonic()
        due = {topic for topic in self._health.paused if now >= self._trickle_at[topic]}
        self._trickle_at |= dict.fromkeys(due, now + _TRICKLE_S)
        return due

    async def _tell(self) -> None:
        self._told_at = time.monotonic()
        behind: dict[str, int] = {}
        for home, records in self._source.lag().items():
            behind[home.topic] = behind.get(home.topic, 0) + records
        for topic, records in behind.items():
            self._pipeline.metrics.lag.labels(topic).set(records)
        await self._source.commit_best_effort()
