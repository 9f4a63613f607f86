"""Which streams maintenance windows skew, by what was usual before each."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain.answers import Line
from services.alerts.domain.mixes import Mix, skewed_segments, usual_time
from services.alerts.store.past import SqlPast
from services.alerts.store.silences import read_maintenance
from shared.segments import Lattice

_HEED: Final = sa.text("""
    INSERT INTO heeded (silence_id, metric, survey, after)
    SELECT id, :metric, :survey, :after FROM silences WHERE id = ANY(CAST(:ids AS text[]))
    ON CONFLICT DO NOTHING
""")
_HEEDED: Final = sa.text("""
    SELECT silence_id, after FROM heeded WHERE metric = :metric AND survey = :survey
""")


async def read_mixes(
    connection: AsyncConnection,
    line: Line,
    lattice: Lattice,
    known: dict[str, Mix],
    span: tuple[datetime, datetime],
) -> list[Mix]:
    """The maintenance windows that touch that time, with what they skew; what is found is `known`.

    The span is without its end. What was over before it is forgotten.
    """
    mixes, past = [], SqlPast(connection, line)
    windows = await read_maintenance(connection, span[0])
    for over in known.keys() - {window.id for window in windows}:
        del known[over]
    for window in windows:
        meets = window.matchers.meets(line.metric, line.survey or None)
        if window.begins_at > span[1] or not meets:
            continue
        mix = known.get(window.id)
        if mix is None:
            usual = await past.leaves(*usual_time(window))
            segment = window.matchers.segment
            skewed = await asyncio.to_thread(skewed_segments, lattice, usual, segment)
            mix = known[window.id] = Mix(window, skewed)
        mix.window = window  # it may have been ended since
        mixes.append(mix)
    return mixes


async def heed(connection: AsyncConnection, line: Line, windows: Iterable[str], after: int) -> None:
    """Note windows by which a line is judged from now on, after that minute."""
    if ids := sorted(windows):
        await connection.execute(_HEED, {**line._asdict(), "ids": ids, "after": after})


async def read_heeded(connection: AsyncConnection, line: Line) -> Mapping[str, int]:
    """The windows by which a line was judged, and the minute after which each was."""
    rows = await connection.execute(_HEEDED, line._asdict())
    return {row.silence_id: row.after for row in rows}
