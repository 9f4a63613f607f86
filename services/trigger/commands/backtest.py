"""Decide the last days again by a changed programme, and show what it would have done.

Events, opt-outs, consent, margins and the clock are the ledger's; caps, settling, cancelling and
who was asked are counted anew. Beside it stands today's programme, decided again in the same way,
or the ledger as it is where another programme made it. Days are those on which the events came.
What needs a fact that was not kept is left out on both sides.
"""

import argparse
import asyncio
import csv
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from services.trigger.commands.effects import COLUMNS, cells, show, totals
from services.trigger.commands.folders import open_folder, todays_folder
from services.trigger.domain.backtest import Row
from services.trigger.handlers.backtesting import Comparison, compare
from services.trigger.store.history import History
from shared.db import AWAY, open_engine
from shared.launch import database_of
from shared.programme.faults import ProgrammeError
from shared.programme.models import Programme
from shared.settings import PREFIX, SettingsFault, read_variable

_SLOWEST: Final = timedelta(minutes=10)  # a statement; the pages are far quicker


def main(arguments: Sequence[str]) -> int:
    """Backtest one folder; the exit code."""
    asked = _parser().parse_args(arguments)
    changed = open_folder(asked.folder)
    today = open_folder(asked.today) if asked.today else _todays()
    found = backtest(today, changed, asked.days, certain=asked.today is not None)
    if asked.csv is not None:
        _write_csv(asked.csv, found.rows)
    show(found)
    return 0


def effect_over(days: float) -> Any:
    """For `plan`: the effect of the last days, a row for each trigger and reason that differs."""

    def effect(today: Programme, then: Programme) -> Sequence[dict[str, Any]]:
        rows = totals(backtest(today, then, days, certain=True).rows)
        return [cells(row) for row in rows if row.difference]

    return effect


def backtest(
    today: Programme | None, changed: Programme, days: float, *, certain: bool = False
) -> Comparison:
    """Compare over the last days. `certain`: today's is what is said, whatever the ledger says.

    Raises SettingsFault where there is no database to ask.
    """
    try:
        return asyncio.run(_compare(today, changed, timedelta(days=days), certain=certain))
    except AWAY as error:
        fault = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SettingsFault(f"the database cannot be used: {fault}") from None


async def _compare(
    today: Programme | None, changed: Programme, span: timedelta, *, certain: bool
) -> Comparison:
    channels = _channels()
    async with (
        open_engine(database_of("trigger"), schema="trigger", statement=_SLOWEST) as engine,
        engine.connect() as opened,
    ):
        connection = await opened.execution_options(isolation_level="REPEATABLE READ")
        now: datetime = (await connection.execute(sa.text("SELECT now()"))).scalar_one()
        history = History(connection)
        if today is not None and not certain:
            newest = (await history.ledgered(now - span)).newest
            today = today if today.digest == newest else None
        return await compare(history, (today, changed), channels, now - span, now)


def _todays() -> Programme | None:
    """The programme that runs; None where it is not here to be read."""
    try:
        return open_folder(todays_folder())
    except ProgrammeError:
        return None


def _channels() -> frozenset[str]:
    """The channels of this deployment, where the ledger does not show them."""
    hook = read_variable(f"{PREFIX}WEBHOOK_URL")
    return frozenset({"email", "webhook"} if hook else {"email"})


def _write_csv(file: Path, rows: Sequence[Row]) -> None:
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.DictWriter(opened, COLUMNS)
        writer.writeheader()
        writer.writerows(cells(row) for row in rows)
    sys.stderr.write(f"{len(rows)} rows written to {file}\n")


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m services.trigger backtest", description=__doc__, formatter_class=form
    )
    parser.add_argument("folder", type=Path, help="the changed programme")
    parser.add_argument("--days", type=read_days, default=30, help="how many; default: 30")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the rows there too")
    parser.add_argument("--today", type=Path, help="today's; default: EARSHOT_PROGRAMME")
    return parser


def read_days(text: str) -> float:
    """A number of days as an argument."""
    try:
        days = float(text)
    except ValueError:
        days = 0
    if not 0 < days <= 4000:
        raise argparse.ArgumentTypeError(f"{text!r} is none; accepted: a number such as 30")
    return days
