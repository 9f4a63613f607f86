"""One poll is one transaction: the loop owns delivery, the handler knows nothing of it.

    poll      at most 2,000 records of all partitions, each partition in order; where many wait,
              the next ones while these are settled
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
from dataclasses import replace
from functools import partial
from typing import Final

import structlog

from shared.errors import Refused
from shared.failpoints import Point, hit
from shared.stream.ahead import Ahead, Polled
from shared.stream.backlog import Backlog
from shared.stream.batch import Taken, decode, decode_all, halves, settle
from shared.stream.deadletter import is_replay
from shared.stream.pipeline import Health, Pipeline, Source
from shared.stream.poison import PoisonGauge, Quarantine
from shared.stream.records import Decoded, Record
from shared.stream.traced import Traced
from shared.stream.verdict import Verdict, judge, sqlstate_of
from shared.stream.weather import Weather

_log = structlog.get_logger()

_TELL_EVERY_S: Final = 0.2


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
        self._quarantine = Quarantine(self._poison, source, health, pipeline.metrics.paused)
        self._traced = Traced(pipeline.service, pipeline.traces)
        self._backlog = Backlog(pipeline.metrics, tuple(pipeline.decode))
        pipeline.metrics.reading.set_function(lambda: float(health.weather is None))
        # a decoder sees the span of a record that is followed, which begins when it is taken
        followed = pipeline.traces.tracer is not None
        reads = None if followed else partial(decode, by_topic=pipeline.decode)
        self._ahead = Ahead(source, reads)
        self._taken = Taken()
        self._weather = Weather(source, self._health, pipeline.metrics)
        self._told_at = 0.0

    async def run(self) -> None:
        self._health.weather = "not yet placed in its consumer group"
        try:
            while not self._stop.is_set():
                self._health.turned_at = time.monotonic()
                self._quarantine.hold()
                await self._turn(await self._poll())
                if time.monotonic() - self._told_at > _TELL_EVERY_S:
                    self._tell()
        finally:
            await self._ahead.give_up()
        self._tell()

    async def _turn(self, polled: Polled) -> None:
        if not polled.records:
            return
        self._backlog.taken(polled.records)
        hit(Point.FETCHED)
        try:
            await self._settle_all(replace(polled, records=self._traced.begin(polled.records)))
        finally:
            self._traced.leave()

    async def _poll(self) -> Polled:
        try:
            polled = await self._ahead.poll()
        except Exception as error:
            if not judge(error).passes:
                raise
            await self._weather.wait_out(error, self._stop)
            return Polled()
        if not polled.records and self._source.placed:
            self._weather.passed()
        return polled

    async def _settle_all(self, polled: Polled) -> None:
        self._taken = decode_all(polled, self._pipeline, self._poison, self._quarantine.due())
        self._quarantine.tried(self._taken.tried)
        hit(Point.DECODED)
        if not self._poison.tripped:
            self._ahead.begin(polled)
        waiting: deque[list[Decoded]] = deque([self._taken.items] if self._taken.items else [])
        while waiting:
            batch = waiting.popleft()
            self._health.turned_at = time.monotonic()
            try:
                with self._pipeline.metrics.batch_seconds.time():
                    settled = await settle(batch, self._source, self._pipeline)
            except Exception as error:  # noqa: BLE001 - the one place that judges every fault
                if not await self._again(error, batch, waiting):
                    return
            else:
                self._weather.passed()
                self._note_good(batch)
                self._backlog.settled(settled)
                self._traced.settled(batch, settled)
                self._pipeline.after_commit()
        for home in self._taken.left:  # of a tripped topic: nothing was read ahead
            self._source.rewind(home)

    def _note_good(self, batch: Sequence[Decoded]) -> None:
        good = [item.record for item in batch if not isinstance(item.value, Refused)]
        self._poison.handled(good)
        if self._taken.tried:
            for topic in self._taken.tried & {record.topic for record in good}:
                self._poison.clear(topic)

    # ------------------------------------------------------------------ when a batch fails
    async def _again(
        self, error: Exception, batch: list[Decoded], waiting: deque[list[Decoded]]
    ) -> bool:
        """Put back what is to be tried again; False where we stop before it could be."""
        await self._ahead.give_up()
        verdict = judge(error)
        alone = len(batch) == 1
        if verdict.passes or (alone and isinstance(batch[0].value, Refused)):
            smaller = verdict is Verdict.SLOW and not alone
            waiting.extendleft(reversed(halves(batch) if smaller else [batch]))
            await self._weather.wait_out(error, self._stop)
            return not self._stop.is_set()
        if alone:
            self._bury(batch[0].record, error, waiting)
        else:
            waiting.extendleft(reversed(halves(batch)))
        return True

    def _bury(self, record: Record, error: Exception, waiting: deque[list[Decoded]]) -> None:
        """Make a dead letter of it, and leave the rest of its topic where most are poison."""
        verdict = judge(error)
        # PostgreSQL's words on a value quote the value, which may be a customer's
        shown = {"sqlstate": sqlstate_of(error)} if verdict is Verdict.DATA else {"exc_info": error}
        _log.error(
            "record became a dead letter", topic=record.topic, partition=record.partition,
            offset=record.offset, verdict=verdict, error=type(error).__name__, **shown,
        )  # fmt: skip
        if not is_replay(record):
            self._poison.buried(record.topic)
        if record.topic in self._poison.tripped:
            self._leave(record.topic, waiting)
        refused = Refused(verdict.reason, f"{type(error).__name__} while it was processed")
        why = error if isinstance(error, Refused) else refused
        waiting.appendleft([Decoded(record, why)])

    def _leave(self, topic: str, waiting: deque[list[Decoded]]) -> None:
        rest = list(waiting)
        waiting.clear()
        for batch in rest:
            self._taken.left |= {item.record.home for item in batch if item.record.topic == topic}
            kept = [item for item in batch if item.record.topic != topic]
            if kept:
                waiting.append(kept)

    # ------------------------------------------------------------------ what is shown
    def _tell(self) -> None:
        self._told_at = time.monotonic()
        now = time.time() if self._health.weather is None else None
        self._backlog.show(self._source.lag(), now)
        self._source.commit_best_effort()
