"""Weather, poison or bug: what an exception means for the batch it stopped.

Weather   the world is away for a while: abort, wait, try the same batch again, for ever
Slow      weather, but a smaller batch may pass: a statement or the driver ran out of its time
Data      the database refuses a value (SQLSTATE 22, 23): halve the batch until one record is alone
Bug       anything else: halve as well; the record that stands alone is a dead letter

A wrong login, a missing schema or table (SQLSTATE 28, 3D, 3F, 42) is weather too: no record is at
fault, and dead letters would drain the topic until somebody runs the migrations.
"""

from enum import StrEnum
from typing import Final

from asyncpg import InterfaceError, InternalClientError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.errors import Reason
from shared.stream.records import KafkaUnavailable, TooLargeForKafka


class Verdict(StrEnum):
    WEATHER = "weather"
    SLOW = "slow"
    DATA = "data"
    BUG = "bug"

    @property
    def passes(self) -> bool:
        """Whether the same may succeed later: nobody's data or code is at fault."""
        return self in (Verdict.WEATHER, Verdict.SLOW)

    @property
    def reason(self) -> Reason:
        return Reason.DATABASE if self is Verdict.DATA else Reason.BUG


# 08 connection, 25P03 idle-in-transaction time-out, 28 login, 3D/3F/42 schema, 40 rollback,
# 53 resources, 55P03 lock, 57 operator intervention (shutdown, statement time-out), 58 system
_WEATHER: Final = ("08", "25P03", "28", "3D", "3F", "40", "42", "53", "55P03", "57", "58", "XX")
_DATA: Final = ("22", "23")
_STATEMENT_TIMEOUT: Final = "57014"
# asyncpg raises these without a SQLSTATE when the server died under a statement
_LOST: Final = (InterfaceError, InternalClientError)


def sqlstate_of(error: BaseException) -> str | None:
    """The five characters of PostgreSQL's verdict, wherever the drivers wrapped them."""
    seen: BaseException | None = error
    while seen is not None:
        for holder in (seen, getattr(seen, "orig", None)):
            state = getattr(holder, "sqlstate", None)
            if isinstance(state, str):
                return state
        seen = seen.__cause__
    return None


def judge(error: Exception) -> Verdict:
    """Say what to do with a batch that `error` stopped."""
    state = sqlstate_of(error)
    if state is not None:
        return _of_state(state)
    if isinstance(error, DBAPIError):
        return _of_driver(error)
    if isinstance(error, TooLargeForKafka):
        return Verdict.BUG
    if isinstance(error, TimeoutError):
        return Verdict.SLOW
    weather = (OSError, PoolTimeout, KafkaUnavailable, *_LOST)
    return Verdict.WEATHER if isinstance(error, weather) else Verdict.BUG


def _of_state(state: str) -> Verdict:
    if state == _STATEMENT_TIMEOUT:
        return Verdict.SLOW
    if state.startswith(_WEATHER):
        return Verdict.WEATHER
    return Verdict.DATA if state.startswith(_DATA) else Verdict.BUG


def _of_driver(error: DBAPIError) -> Verdict:
    """No SQLSTATE: the driver refused a value before it sent it, or the connection is lost."""
    cause = getattr(error.orig, "__cause__", None)
    if isinstance(cause, ValueError):
        return Verdict.DATA
    lost = isinstance(cause, _LOST) or error.connection_invalidated
    return Verdict.WEATHER if lost else Verdict.BUG
