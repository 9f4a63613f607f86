"""A line's fleet: one row a stream, its numbers as one value."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain import layout
from services.alerts.domain.ahead import Ahead
from services.alerts.domain.answers import Line
from services.alerts.domain.detector import Detector
from services.alerts.domain.mixes import Mix
from services.alerts.domain.state import STATE_COLUMNS, FleetState
from services.alerts.domain.streams import Catalogue
from services.alerts.domain.terms import Policy
from services.alerts.store.clusters import read_clusters
from services.alerts.store.lines import Fenced
from shared.columns import columns, unnested
from shared.segments import Lattice

_NUMBER: Final = "<f8"
_AT_ONCE: Final = 2_000  # streams in a statement: of a large fleet it would take too long
_READ: Final = sa.text("""
    SELECT segment, level, parent, state FROM streams
    WHERE metric = :metric AND survey = :survey ORDER BY number
""")
_READ_DETECTOR: Final = sa.text("""
    SELECT columns, detector FROM lines WHERE metric = :metric AND survey = :survey
""")
_STREAM: Final = {
    "number": "int",
    "segment": "text",
    "level": "int",
    "parent": "int",
    "state": "bytea",
}
_WRITE: Final = sa.text(f"""
    INSERT INTO streams (metric, survey, number, segment, level, parent, state)
    SELECT :metric, :survey, s.* FROM {unnested(_STREAM, "s")}
    ON CONFLICT (metric, survey, number) DO UPDATE SET state = excluded.state
""")  # noqa: S608
_WRITE_DETECTOR: Final = sa.text("""
    UPDATE lines SET columns = CAST(:columns AS text[]), detector = CAST(:detector AS jsonb),
        layout = :layout
    WHERE metric = :metric AND survey = :survey AND layout <= :layout
""")


@dataclass
class Fleet:
    """Detector, state and names of a line's streams, in step, as of minute `judged_to`.

    `ahead`: the copy that has looked into open minutes. `mixes`: by maintenance window. `columns`:
    those of the stored numbers. `waiting`: rows that crossed and found no room for an alert.
    `looks_due`: how many alerts wait to be looked at again.
    """

    line: Line
    detector: Detector
    state: FleetState
    catalogue: Catalogue
    judged_to: int
    ahead: Ahead | None = None
    mixes: dict[str, Mix] = field(default_factory=dict)
    columns: Sequence[str] = STATE_COLUMNS
    waiting: set[int] = field(default_factory=set)
    looks_due: int = 0


async def read_fleet(
    connection: AsyncConnection, line: Line, judged_to: int, policy: Policy, lattice: Lattice
) -> Fleet:
    """Read all streams; columns that were not stored start anew."""
    stored, record = (await connection.execute(_READ_DETECTOR, line._asdict())).one()
    rows = (await connection.execute(_READ, line._asdict())).all()
    values = np.array([np.frombuffer(row.state, _NUMBER) for row in rows], float)
    state = FleetState.from_rows(
        values.reshape(len(rows), len(stored or STATE_COLUMNS)),
        level=[row.level for row in rows],
        parent=[row.parent for row in rows],
        columns=stored or None,
    )
    catalogue = Catalogue(lattice, [row.segment for row in rows])
    detector = _detector(record, policy)
    detector.clusters = await read_clusters(connection, line, judged_to)
    fleet = Fleet(line, detector, state, catalogue, judged_to)
    fleet.columns = tuple(stored or STATE_COLUMNS)
    return fleet


async def write_fleet(connection: AsyncConnection, fleet: Fleet, touched: Collection[int]) -> None:
    """Store the streams whose numbers changed, and what the detector knows beside them.

    Numbers that stand under other columns are all stored anew: a line has one list of columns.
    Raises Fenced where a newer version has written them.
    """
    state = fleet.state
    rows = sorted(touched) if fleet.columns == STATE_COLUMNS else list(range(len(state)))
    names = fleet.line._asdict()
    for first in range(0, len(rows), _AT_ONCE):
        values = _values(fleet, rows[first : first + _AT_ONCE])
        await connection.execute(_WRITE, columns(_STREAM, values) | names)
    detector = json.dumps(fleet.detector.to_record())
    written = {"columns": list(STATE_COLUMNS), "detector": detector, "layout": layout.LAYOUT}
    if (await connection.execute(_WRITE_DETECTOR, written | names)).rowcount != 1:
        raise Fenced
    fleet.columns = STATE_COLUMNS


def _values(fleet: Fleet, rows: Sequence[int]) -> list[tuple[Any, ...]]:
    state, segments = fleet.state, fleet.catalogue.segments
    numbers = state.to_rows(np.array(rows, np.intp)).astype(_NUMBER)
    return [
        (row, segments[row], int(state.level[row]), int(state.parent[row]), numbers[i].tobytes())
        for i, row in enumerate(rows)
    ]


def _detector(record: Any, policy: Policy) -> Detector:
    if record is None:
        return Detector(policy)
    return Detector.from_record(record, policy)
