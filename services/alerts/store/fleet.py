"""The fleet: one row a stream, its numbers as one value."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain.columns import Floats
from services.alerts.domain.detector import Detector
from services.alerts.domain.state import STATE_COLUMNS, FleetState
from services.alerts.domain.streams import Catalogue, Line, Stream
from services.alerts.domain.terms import Policy
from services.alerts.store.columns import columns, unnested
from shared.segments import Lattice

_NUMBER: Final = "<f8"
_READ: Final = sa.text("SELECT * FROM streams ORDER BY id")
_READ_DETECTOR: Final = sa.text("SELECT columns, detector FROM position")
_STREAM: Final = {
    "id": "int",
    "metric": "text",
    "survey": "text",
    "segment": "text",
    "level": "int",
    "parent": "int",
    "state": "bytea",
}
_WRITE: Final = sa.text(f"""
    INSERT INTO streams ({", ".join(_STREAM)}) SELECT * FROM {unnested(_STREAM)}
    ON CONFLICT (id) DO UPDATE SET state = excluded.state
""")  # noqa: S608
_WRITE_DETECTOR: Final = sa.text("""
    UPDATE position SET columns = CAST(:columns AS text[]), detector = CAST(:detector AS jsonb)
""")


@dataclass
class Fleet:
    """Detector, state and names of all streams, in step."""

    detector: Detector
    state: FleetState
    catalogue: Catalogue


async def read_fleet(connection: AsyncConnection, policy: Policy, lattice: Lattice) -> Fleet:
    """Read all streams; numbers that were stored under other columns start anew."""
    stored, detector = (await connection.execute(_READ_DETECTOR)).one()
    rows = (await connection.execute(_READ)).all()
    streams = [Stream(Line(row.metric, row.survey), row.segment) for row in rows]
    values = np.array([np.frombuffer(row.state, _NUMBER) for row in rows], float)
    state = FleetState.from_rows(
        values.reshape(len(rows), len(stored or STATE_COLUMNS)),
        level=[row.level for row in rows],
        parent=[row.parent for row in rows],
        columns=stored or None,
    )
    return Fleet(_detector(detector, policy), state, Catalogue(lattice, streams))


async def write_fleet(connection: AsyncConnection, fleet: Fleet, touched: Collection[int]) -> None:
    """Store the streams whose numbers changed, and what the detector knows beside them."""
    rows = sorted(touched)
    state = fleet.state
    numbers: Floats = state.to_rows(np.array(rows, np.intp)).astype(_NUMBER)
    values = [
        (
            row,
            *fleet.catalogue.streams[row].line,
            fleet.catalogue.streams[row].segment,
            int(state.level[row]),
            int(state.parent[row]),
            numbers[i].tobytes(),
        )
        for i, row in enumerate(rows)
    ]
    if values:
        await connection.execute(_WRITE, columns(_STREAM, values))
    detector = json.dumps(fleet.detector.to_record())
    await connection.execute(
        _WRITE_DETECTOR, {"columns": list(STATE_COLUMNS), "detector": detector}
    )


def _detector(record: Any, policy: Policy) -> Detector:
    if record is None:
        return Detector(policy)
    return Detector.from_record(record, policy)
