"""Alerts, as the judge and people left them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.domain.alerts import Alert, Change, State
from services.alerts.domain.answers import Line
from services.alerts.domain.cases import Case, Docket
from services.alerts.domain.estimates import Severity
from services.alerts.store.announcing import Ways, announce

Place = tuple[datetime, str]

_UNSETTLED: Final = sa.text("""
    SELECT * FROM alerts WHERE NOT settled AND metric = :metric AND survey = :survey
    ORDER BY id FOR UPDATE
""")
_ONE: Final = sa.text("SELECT body FROM alerts WHERE id = :id")
_ONE_LOCKED: Final = sa.text("SELECT body FROM alerts WHERE id = :id FOR UPDATE")
_PUT: Final = sa.text("""
    INSERT INTO alerts
        (id, state, metric, survey, opened_at, revision, body, holds, pending, opened_in, told_n,
         looked_n, raised_as, settled)
    VALUES (:id, :state, :metric, :survey, :opened_at, :revision, CAST(:body AS jsonb),
        CAST(:holds AS int[]), CAST(:pending AS int[]), :opened_in, :told_n, :looked_n,
        :raised_as, :settled)
    ON CONFLICT (id) DO UPDATE SET state = excluded.state, revision = excluded.revision,
        body = excluded.body, holds = excluded.holds, pending = excluded.pending,
        opened_in = excluded.opened_in, told_n = excluded.told_n,
        looked_n = excluded.looked_n, settled = excluded.settled
""")
_BY_HAND: Final = sa.text("""
    UPDATE alerts SET state = :state, revision = :revision, body = body || CAST(:body AS jsonb)
    WHERE id = :id
""")
_LIST: Final = """
    SELECT body FROM alerts WHERE true {state} {after}
    ORDER BY opened_at DESC, id DESC LIMIT :most
"""


async def read_docket(connection: AsyncConnection, line: Line) -> Docket:
    """Lock and read the cases of a line that are not settled."""
    docket = Docket()
    for row in (await connection.execute(_UNSETTLED, line._asdict())).mappings():
        case = Case(
            read_alert(row["body"]),
            tuple(row["holds"]),
            row["opened_in"],
            row["told_n"],
            Severity(row["raised_as"]),
            tuple(row["pending"]),
            row["looked_n"],
        )
        if case.alert.state is State.ACCEPTED and not case.holds:
            docket.accepted[case.alert.id] = case
        elif case.alert.state.is_over:
            docket.ended_by_hand[case.alert.id] = case
        else:
            docket.cases[case.alert.id] = case
    return docket


async def write_docket(connection: AsyncConnection, docket: Docket, ways: Ways) -> None:
    """Store the cases that changed, and what is to be told of them."""
    cases = [
        _case_values(case) | {"settled": case.alert.id in docket.over} for case in docket.written()
    ]
    if cases:
        await connection.execute(_PUT, cases)
    await announce(connection, docket.changes, ways)


async def write_by_hand(
    connection: AsyncConnection, alert: Alert, change: Change, ways: Ways
) -> None:
    """Store a person's change, beside what a newer version keeps; the judge settles it later."""
    values = {"id": alert.id, "state": alert.state, "revision": alert.revision}
    await connection.execute(_BY_HAND, values | {"body": _text(alert)})
    await announce(connection, [(alert, change)], ways)


async def find_alert(
    connection: AsyncConnection, alert_id: str, *, lock: bool = False
) -> Alert | None:
    """One alert; locked until the transaction ends if it is to be changed."""
    found = await connection.execute(_ONE_LOCKED if lock else _ONE, {"id": alert_id})
    body = found.scalar_one_or_none()
    return None if body is None else read_alert(body)


async def list_alerts(
    connection: AsyncConnection, state: State | None, after: Place | None, most: int
) -> Sequence[Alert]:
    """Alerts by state, the one that opened last first."""
    values: dict[str, Any] = {"most": most}
    if state is not None:
        values["state"] = state
    if after is not None:
        values |= {"opened_at": after[0], "id": after[1]}
    statement = _LIST.format(
        state="" if state is None else "AND state = :state",
        after="" if after is None else "AND (opened_at, id) < (:opened_at, :id)",
    )
    found = await connection.execute(sa.text(statement), values)
    return [read_alert(body) for body in found.scalars()]


def read_alert(body: Any) -> Alert:
    """The alert of a stored body."""
    return msgspec.convert(body, Alert)


def _case_values(case: Case) -> dict[str, Any]:
    alert = case.alert
    return {
        "id": alert.id,
        "state": alert.state,
        **alert.line._asdict(),
        "opened_at": alert.opened_at,
        "revision": alert.revision,
        "body": _text(alert),
        "holds": list(case.holds),
        "pending": list(case.pending),
        "opened_in": case.opened_in,
        "told_n": case.told_n,
        "looked_n": case.looked_n,
        "raised_as": case.raised_as,
    }


def _text(alert: Alert) -> str:
    return msgspec.json.encode(alert).decode()
