"""The nightly audit: the last four weeks judged again, and what came beside what was promised.

One process makes it, off the judge's path: it only reads, on a connection of its own, and rests
three times as long as the process works, so that it takes a quarter of a quiet one's time.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.alerts.domain.alerts import Alert
from services.alerts.domain.answers import begin_of, minute_of
from services.alerts.domain.parts import shared_by
from services.alerts.domain.promise import (
    AFTER,
    AUDITED,
    BEFORE,
    LEAST,
    WARM,
    WEEK,
    Audit,
    Part,
    Verdict,
    is_due,
    tally,
    together,
    verdict,
    weigh,
)
from services.alerts.domain.terms import Policy
from services.alerts.handlers.rehearsing import Setup
from services.alerts.metrics import PROMISED
from services.alerts.store.audits import auditing, read_newest, read_sample, write_audit
from services.alerts.store.election import find_newer
from services.alerts.store.rehearsals import Known, closings_of, play, read_known, read_raised
from services.alerts.worker.courtroom import Terms
from services.alerts.worker.observing import observe_audit
from services.alerts.worker.turns import rest, take_turns
from shared.stream.pipeline import Health

_log = structlog.get_logger()
_EVERY_S: Final = 600.0
_REST: Final = 3.0  # times as long as the process worked
_LONGEST_REST_S: Final = 5.0
_MINUTE: Final = timedelta(minutes=1)


class _Stopped(Exception):
    """The service ends; the audit is made anew by the next."""


@dataclass(frozen=True)
class Span:
    """The minutes of an audit: judged from `warm`, counted from `begin`, before `end`."""

    warm: int
    begin: int
    end: int

    @classmethod
    def of(cls, lines: Sequence[Known]) -> "Span":
        """The last four weeks that were judged and what is kept of the four before."""
        first, end = min(line.first for line in lines), max(line.last for line in lines) + 1
        begin = minute_of(begin_of(end) - AUDITED)
        return cls(max(minute_of(begin_of(begin) - WARM), first), max(begin, first), end)

    @property
    def counted(self) -> timedelta:
        return begin_of(self.end) - begin_of(self.begin)


class Auditing:
    """Audits the promise once a night, and shows the newest audit, whoever made it."""

    def __init__(self, engine: AsyncEngine, terms: Terms, zone: ZoneInfo) -> None:
        self._engine = engine
        self._terms = terms
        self._zone = zone
        self._stop = asyncio.Event()
        self._worked_s = 0.0
        PROMISED.set(terms.policy.false_alarms_per_week)

    async def run(self, stop: asyncio.Event) -> None:
        """Audit until stopped; an audit under way is given up."""
        self._stop = stop
        await take_turns("auditing", self.turn, stop, health=Health(), every_s=_EVERY_S)

    async def turn(self) -> bool:
        """Show the newest audit, or make one if it is due."""
        async with self._engine.connect() as connection:
            newest = await read_newest(connection)
        if self._is_due(newest):
            async with auditing(self._engine) as held:
                newest = await self._in_turn(held) if held is not None else newest
        if newest is not None:
            observe_audit(newest)
        return False

    def _is_due(self, newest: Audit | None) -> bool:
        return is_due(newest.made_at if newest else None, self._terms.clock(), self._zone)

    async def _in_turn(self, connection: AsyncConnection) -> Audit | None:
        """Make one, unless another process made it while we waited for the lock.

        A process that is too old to judge does not say how it would have judged either.
        """
        async with connection.begin():
            outdated = await find_newer(connection) is not None
            newest = await read_newest(connection)
        if outdated or not self._is_due(newest):
            return newest
        return await self._make(connection) or newest

    async def _make(self, connection: AsyncConnection) -> Audit | None:
        """Make one and keep it; None where less than a day was judged, or it was stopped."""
        async with connection.begin():
            lines = await read_known(connection, self._terms.policy.warm_answers)
        behind = any(line.standing.closed_to > line.standing.judged_to for line in lines)
        if not lines or behind or Span.of(lines).counted < LEAST:  # the judge comes first
            return None
        try:
            audit = await self._audit(connection, lines)
        except _Stopped:
            return None
        async with connection.begin():
            await write_audit(connection, audit)
        _log.info("promise audited", promise=audit.all.promise, seconds=audit.seconds)
        return audit

    async def _audit(self, connection: AsyncConnection, lines: Sequence[Known]) -> Audit:
        began, span, policy = time.monotonic(), Span.of(lines), self._terms.policy
        policy_at = shared_by(policy, [line.begun_in for line in lines])
        parts = [await self._part(connection, line, span, policy_at) for line in lines]
        weeks = span.counted / WEEK
        return Audit(
            made_at=self._terms.clock(),
            warm_from=begin_of(span.warm),
            begin=begin_of(span.begin),
            end=begin_of(span.end),
            complete=span.counted >= AUDITED,
            seconds=round(time.monotonic() - began, 1),
            smallest_rise=round(100 * policy.smallest_rise, 6),
            all=weigh(together(parts, policy.false_alarms_per_week), weeks),
            lines=tuple(weigh(part, weeks) for part in parts),
        )

    async def _part(
        self,
        connection: AsyncConnection,
        line: Known,
        span: Span,
        policy_at: Callable[[int], Policy],
    ) -> Part:
        async with connection.begin():
            raised = await read_raised(connection, line.line, span.warm, line.last)
        setup = Setup(
            promise=self._terms.policy.false_alarms_per_week,
            policy_at=policy_at,
            lattice=self._terms.lattice,
            closings=closings_of(raised),
        )
        self._worked_s = time.process_time()
        done = await play(connection, line, setup, (span.warm, span.end - 1), self._rest)
        counted = [a for a in done.alerts.values() if a.opened_at > begin_of(span.begin)]
        return Part(
            metric=line.line.metric,
            survey=line.line.survey or None,
            streams=done.streams,
            answers=done.answers,
            alarms=tally([await self._verdict(connection, line, one) for one in counted]),
            promised_per_week=round(policy_at(line.last).false_alarms_per_week, 6),
        )

    async def _verdict(self, connection: AsyncConnection, line: Known, alert: Alert) -> Verdict:
        """Judge an alarm by the stream that raised it, whatever explains it."""
        onset, opened = minute_of(alert.began_at), minute_of(alert.opened_at - _MINUTE)
        last = min(alert.resolved_at or begin_of(line.last + 1), alert.opened_at + AFTER)
        where, first = (line.line, alert.raised_segment), minute_of(alert.began_at - BEFORE)
        async with connection.begin():
            before = await read_sample(connection, *where, (first, onset - 1))
            after = await read_sample(connection, *where, (opened + 1, minute_of(last) - 1))
        return verdict(before, after)

    async def _rest(self) -> None:
        worked_s = time.process_time() - self._worked_s
        await rest(self._stop, min(_REST * worked_s, _LONGEST_REST_S))
        if self._stop.is_set():
            raise _Stopped
        self._worked_s = time.process_time()
