"""Failpoints: a process ends at a named step as by kill -9, so that tests see what that costs.

Off unless EARSHOT_FAILPOINT is `name` or `name:count`; then the process dies when it passes the
step for the count-th time. With `name:count:stop` it stands still there, as by SIGSTOP, until
somebody continues it, once. For tests alone: no deployment sets it.
"""

import os
import signal
from enum import StrEnum
from typing import Final, Self

import structlog

from shared.settings import PREFIX, SettingsFault, read_variable

_log = structlog.get_logger()
VARIABLE: Final = f"{PREFIX}FAILPOINT"
_STOP: Final = ":stop"


class Point(StrEnum):
    """The steps of every pipeline, in their order, with what is true at each."""

    truth: str

    def __new__(cls, name: str, truth: str) -> Self:
        point = str.__new__(cls, name)
        point._value_ = name
        point.truth = truth
        return point

    # a consumer's batch
    FETCHED = "fetched", "records came; nothing was done with them"
    DECODED = "decoded", "records were read; no transaction was begun"
    TRANSACTION_OPEN = "transaction-open", "a transaction was begun; nothing is in it"
    OFFSET_MOVED = "offset-moved", "offsets moved in the open transaction; nothing else is in it"
    ROWS_WRITTEN = "rows-written", "all rows are in the open transaction; nothing was sent on"
    PRODUCED = "produced", "Kafka acknowledged what was sent; whoever sent it does not know yet"
    DATABASE_COMMITTED = "database-committed", "the batch is committed; Kafka was not told"
    KAFKA_COMMITTED = "kafka-committed", "Kafka was told how far the database is"
    # what a worker sends: an invitation, the message of an alert
    CLAIMED = "claimed", "rows are claimed, which is committed; nothing was sent"
    SENT = "sent", "tries to send have ended; their rows do not say so"
    MARKED = "marked", "rows say what became of the tries"
    # what waits to be decided
    DUE_COMMITTED = "due-committed", "what was due is decided and committed; nothing was sent"
    # what a worker publishes: states of invitations, changes of alerts
    OUTBOX_PRODUCED = "outbox-produced", "Kafka acknowledged records; their rows do not say so"
    OUTBOX_MARKED = "outbox-marked", "rows say that their records were published"
    # the judge of alerts
    MINUTES_CLOSED = "minutes-closed", "minutes take no more answers; they are not judged"
    JUDGED = "judged", "closed minutes are judged in the open transaction"
    ALERT_WRITTEN = "alert-written", "a change of an alert is in the open transaction"
    ALERT_COMMITTED = "alert-committed", "a change of an alert is committed; nobody was told"
    # ingest
    RECEIVED = "received", "a request was read and found good; nothing was sent to Kafka"
    ACKNOWLEDGED = "acknowledged", "the reply to an answer was handed to its connection"


class Armed:
    """The step to die or to stand still at, and how many passes are left."""

    point: Point | None = None
    left = 0
    ends: signal.Signals = signal.SIGKILL


armed: Final = Armed()


def hit(point: Point) -> None:
    """Pass a step: the process ends here where it was told to, and else nothing happens."""
    if armed.point is point:
        _pass()


def arm() -> None:
    """Read the variable, say what it does. Raises SettingsFault, which lists the steps."""
    text = read_variable(VARIABLE)
    if not text:
        return
    stop = text.endswith(_STOP)
    name, colon, count = text.removesuffix(_STOP).partition(":")
    passes = int(count) if count.isascii() and count.isdigit() else 0
    point = {str(each): each for each in Point}.get(name)
    if point is None or ((colon or stop) and passes < 1):
        steps = "\n".join(f"  {each}: {each.truth}" for each in Point)
        raise SettingsFault(
            f"{VARIABLE}: {text!r} is no step; accepted is name, name:count or name:count:stop, a "
            f"count from 1 on, and as names:\n{steps}"
        )
    armed.point, armed.left = point, max(passes, 1)
    armed.ends = signal.SIGSTOP if stop else signal.SIGKILL
    _log.warning(
        "failpoint armed: this process will "
        + ("stand still as by SIGSTOP" if stop else "end as by kill -9"),
        point=name, passes=armed.left, truth=point.truth,
    )  # fmt: skip


def _pass() -> None:
    armed.left -= 1
    if armed.left > 0:
        return
    done = "killed" if armed.ends is signal.SIGKILL else "stopped"
    os.write(2, f"failpoint {armed.point}: {done}\n".encode())
    armed.point = None
    os.kill(os.getpid(), armed.ends)
