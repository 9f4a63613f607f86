"""The cache: what is held, kept in step with PostgreSQL snapshot by snapshot.

Snapshots are taken one after the other under a lock, so what is held never goes back in time.
Each question keeps what was held in its own.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakKeyDictionary

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scoring.domain.cells import VALUES_AT_MOST
from services.scoring.domain.questions import Question, Segment
from services.scoring.domain.sheets import Sheet
from services.scoring.domain.windows import Window
from services.scoring.metrics import COLUMN_BYTES, COLUMN_ENTRIES, COLUMN_REREAD
from services.scoring.store.columns import days
from services.scoring.store.columns.book import Clash, CodeBook
from services.scoring.store.columns.counting import count_groups
from services.scoring.store.columns.held import Held
from services.scoring.store.columns.loading import TooMuch, chunk_before, read_entries
from services.scoring.store.columns.spans import Spans
from services.scoring.store.columns.touched import FAR, Touched, read_touched, ticks
from services.scoring.store.connections import driver_of
from services.scoring.store.layout import read_layout

REREAD_AT_MOST: Final = 20_000  # entries, some 0.1 s, which a question may wait for
CHUNK: Final = 50_000
DAYS_AT_ONCE: Final = 400_000  # entries, some 0.1 s
LOOSE_AT_MOST: Final = 65_536
_ALONE: Final = 100_000  # entries from which on a question without groups has a thread
_PATIENCE_S: Final = 1_800.0  # half of the time for which it is noted what was touched
_NONE: Final = Spans.of((), ())
_TURN_S: Final = 0.5  # that a question waits for its turn to look


class Columns:
    """The most recent entries of all answers, at most `at_most` of them."""

    def __init__(self, at_most: int, values_at_most: int = VALUES_AT_MOST) -> None:
        self.at_most = at_most
        self.lock = asyncio.Lock()
        self.filled = asyncio.Event()  # set once, when there was nothing more to hold
        self._values_at_most = values_at_most
        self._held: Held | None = None
        self._touched = Touched(None, "", _NONE)
        self._owed = _NONE
        self._since: Spans | None = None  # what was touched while a chunk is being read
        self._reached: int | None = None  # nothing older has room
        self._looked = 0.0
        self._allowed: bool | None = None  # days at all; None until it was asked
        self._stale = False  # a day that was read owed too much: none until all is held
        self._seen: WeakKeyDictionary[asyncpg.Connection, Held] = WeakKeyDictionary()

    @property
    def held(self) -> Held | None:
        """What is held now."""
        return self._held

    @asynccontextmanager
    async def seen_by(self, connection: AsyncConnection) -> AsyncIterator[asyncpg.Connection]:
        """Begin a snapshot, and note what is held in it until the end.

        Where others stand before it for half a second (a database that hangs keeps them) nothing is
        noted, and its questions go to the database: they wait for one time-out and not for two.
        """
        driver = await self._begin(connection)
        try:
            yield driver
        finally:
            self._seen.pop(driver, None)

    async def _begin(self, connection: AsyncConnection) -> asyncpg.Connection:
        try:
            async with asyncio.timeout(_TURN_S):
                await self.lock.acquire()
        except TimeoutError:
            return await driver_of(connection)
        try:
            driver = await driver_of(connection)
            self._seen[driver] = await self._look(driver)
        finally:
            self.lock.release()
        return driver

    async def groups(
        self,
        connection: asyncpg.Connection,
        question: Question,
        windows: Sequence[Window],
        only: Sequence[Segment] | None = None,
    ) -> Sheet | None:
        """All groups, or only these; None where more is asked than is held."""
        held = self._seen.get(connection)
        if held is None or not set(question.dimensions) <= set(held.book.dimensions):
            return None
        edges = [ticks(windows[0].start), *(ticks(window.end) for window in windows)]
        if held.start > (-FAR if question.on_event else edges[0]):
            return None
        if not question.by and held.size < _ALONE:
            return count_groups(held, question, edges, only)
        return await asyncio.to_thread(count_groups, held, question, edges, only)

    async def tend(self, connection: AsyncConnection) -> bool:
        """Put in order, and hold one chunk more; say whether there is more to hold."""
        async with self.lock:
            driver = await driver_of(connection)
            held = await self._look(driver)
            if held.loose > LOOSE_AT_MOST:
                held = self._keep(await asyncio.to_thread(held.folded))
            self._since = _NONE
        chunk = max(1, min(CHUNK, self.at_most // 8))
        if held.start in (-FAR, self._reached) or held.size + 2 * chunk > self.at_most:
            self._stale = False
            return False
        try:
            more = await self._before(driver, held, chunk)
        except (TooMuch, Clash):  # too many of one moment, or nobody knows what they are
            self._reached = held.start
            return False
        async with self.lock:
            now = self._held
            if now is None or now.book is not held.book or now.start != held.start:
                return True  # begun afresh meanwhile
            self._owed |= self._since or _NONE
            self._owed |= more.owed
            self._since = None
            self._keep(await asyncio.to_thread(now.longer, more.start, more.entries))
        return True

    async def keep(self, connection: AsyncConnection, now: int, every_s: float) -> int:
        """Keep whole days of what is held, if that is due; return how many were written."""
        async with self.lock:
            driver = await driver_of(connection)
            if not self._allowed or not await days.is_due(driver, every_s):
                return 0
            held = await self._look(driver)
        return await days.keep_days(driver, held, now)

    async def _before(self, driver: asyncpg.Connection, held: Held, chunk: int) -> days.Kept:
        """What comes before all that is held: days that were kept, else a chunk of answers."""
        room = self.at_most - held.size
        believed = self._allowed and not self._stale
        after = await days.newest_before(driver, held.start) if believed else -FAR
        if after == held.start:
            owed = REREAD_AT_MOST // 4
            kept = await days.read_days(driver, held.book, after, room, DAYS_AT_ONCE, owed)
            if kept is not None:
                return kept
            after = -FAR
        start = max(after, await chunk_before(driver, held.start, chunk))
        span = Spans.of([start], [held.start])
        return days.Kept(start, await read_entries(driver, held.book, span, room), _NONE)

    async def _look(self, connection: asyncpg.Connection) -> Held:
        """Read again what was touched since the last snapshot; the caller holds the lock."""
        news = await read_touched(connection, self._touched.snapshot)
        held, now = self._held, time.monotonic()
        late = now - self._looked > _PATIENCE_S
        if held is None or late or news.all or news.server != self._touched.server:
            return await self._afresh(connection, news)
        if self._since is not None:
            self._since |= news.spans
        self._owed |= news.spans
        self._touched, self._looked = news, now
        spans = self._owed.since(held.start)
        places = held.places(spans)
        again = sum(len(found) for _, found in places)
        if again > REREAD_AT_MOST:
            return await self._afresh(connection, news)
        try:
            fresh = await read_entries(connection, held.book, spans, 2 * REREAD_AT_MOST)
        except (TooMuch, Clash):
            self._stale = True
            return await self._afresh(connection, news)
        COLUMN_REREAD.inc(len(fresh))
        self._owed = _NONE
        return self._keep(held.renewed(spans, places, fresh) if len(spans) else held)

    async def _afresh(self, connection: asyncpg.Connection, news: Touched) -> Held:
        if self._allowed is None:
            self._allowed = await days.allowed(connection)
        dimensions = (await read_layout(connection)).dimensions
        book = await CodeBook.begin(connection, dimensions, self._values_at_most)
        self._touched, self._looked = news, time.monotonic()
        self._owed, self._since, self._reached = _NONE, None, None
        return self._keep(Held.nothing(book))

    def _keep(self, held: Held) -> Held:
        self._held = held.shorter(self.at_most)
        COLUMN_ENTRIES.set(self._held.size)
        COLUMN_BYTES.set(self._held.bytes)
        return self._held
