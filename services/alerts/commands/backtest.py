"""Judge past answers again by other settings, and list what would have opened.

The answers are those counted, in the minutes in which they counted; what persons closed is closed
again. Beside each alert stands the one that really opened, if there is one. By the settings that
run, a history that was judged in order gives the alerts that it gave; only whole minutes are judged
again, so that one that an open minute raised may open up to a minute later, or was taken back by
the rest of its minute. The database is only read.
"""

import argparse
import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts.commands.listing import Found, Judged, show, write_json
from services.alerts.domain.answers import DAY, begin_of, minute_of
from services.alerts.domain.parts import policy_of, shared_by
from services.alerts.domain.rehearsal import pair
from services.alerts.domain.terms import Policy
from services.alerts.handlers.rehearsing import Setup
from services.alerts.settings import AlertsSettings
from services.alerts.store.rehearsals import closings_of, play, read_known, read_raised
from shared.db import AWAY, open_engine
from shared.launch import database_of
from shared.programme.loading import load_programme
from shared.segments import Lattice
from shared.settings import PREFIX, SettingsFault, read_variable

WARM: Final = 56 * DAY  # minutes judged before the first that is asked for
_SLOWEST: Final = timedelta(minutes=2)  # a statement; the pages are far quicker


@dataclass(frozen=True, kw_only=True)
class Asked:
    """By what to judge, and which alerts to list: those that open from `begin` to `end`."""

    policy: Policy
    lattice: Lattice
    begin: datetime | None = None
    end: datetime | None = None


def main(arguments: Sequence[str]) -> int:
    """Backtest; the exit code."""
    said = _parser().parse_args(arguments)
    found = backtest(_read(said))
    (write_json if said.json else show)(found)
    return 0


def backtest(asked: Asked) -> Found:
    """Judge again what the database keeps. Raises SettingsFault where there is none to ask."""
    try:
        return asyncio.run(_backtest(asked))
    except AWAY as error:
        fault = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SettingsFault(f"the database cannot be used: {fault}") from None


async def _backtest(asked: Asked) -> Found:
    async with (
        open_engine(database_of("alerts"), schema="alerts", statement=_SLOWEST) as engine,
        engine.connect() as opened,
    ):
        return await judge_again(opened, asked)


async def judge_again(opened: AsyncConnection, asked: Asked) -> Found:
    """Judge every line again, one after the other."""
    connection = await opened.execution_options(postgresql_readonly=True)
    async with connection.begin():
        lines = await read_known(connection, asked.policy.warm_answers)
    part = shared_by(asked.policy, [line.begun_in for line in lines])
    judged, pairs = [], []
    for known in lines:
        first = known.first if asked.begin is None else minute_of(asked.begin)
        last = known.last if asked.end is None else min(minute_of(asked.end), known.last)
        async with connection.begin():
            raised = await read_raised(connection, known.line, first - WARM, last)
        setup = Setup(
            promise=asked.policy.false_alarms_per_week,
            policy_at=part,
            lattice=asked.lattice,
            closings=closings_of(raised),
        )
        from_ = max(known.first, first - WARM) if asked.begin else known.first
        done = await play(connection, known, setup, (from_, last), _no_rest)
        begin = begin_of(first)
        both = pair(raised, list(done.alerts.values()))
        pairs += [one for one in both if one.opened_at >= begin]
        span = (begin_of(from_), begin, begin_of(last + 1))
        judged.append(Judged(known.line, span, done.answers, done.streams, len(done.windows)))
    return Found(asked.policy, judged, sorted(pairs, key=lambda one: one.shown.opened_at))


async def _no_rest() -> None:
    """Nobody else is served by this process."""


def _read(said: argparse.Namespace) -> Asked:
    programme = load_programme(said.programme or _todays_folder())
    policy = policy_of(programme.alerts)
    if said.false_alarms_per_week is not None:
        policy = replace(policy, false_alarms_per_week=said.false_alarms_per_week)
    if said.smallest_rise is not None:
        policy = replace(policy, smallest_rise=said.smallest_rise / 100)
    if said.begin and said.end and said.begin >= said.end:
        raise SettingsFault("--from: it is not before --to")
    lattice = programme.segments.lattice
    return Asked(policy=policy, lattice=lattice, begin=said.begin, end=said.end)


def _todays_folder() -> Path:
    usual = AlertsSettings.model_fields["programme"].default
    return Path(read_variable(f"{PREFIX}PROGRAMME", str(usual)))


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m services.alerts backtest", description=__doc__, formatter_class=form
    )
    parser.add_argument(
        "--programme", type=Path, help="the changed programme; default: EARSHOT_PROGRAMME"
    )
    parser.add_argument(
        "--from", dest="begin", type=_read_moment, metavar="TIME",
        help="list what opens from then on, 56 days before are judged too; default: all is judged",
    )  # fmt: skip
    parser.add_argument(
        "--to", dest="end", type=_read_moment, metavar="TIME",
        help="judge to then; default: to what was judged last",
    )  # fmt: skip
    parser.add_argument(
        "--false-alarms-per-week", type=_number(168), metavar="N", help="in place of alerts.yaml's"
    )
    parser.add_argument(
        "--smallest-rise", type=_number(50), metavar="POINTS", help="in place of alerts.yaml's"
    )
    parser.add_argument("--json", action="store_true", help="for programs, not for people")
    return parser


def _read_moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fault = f"{text!r} is none; accepted: a date or time such as 2026-03-02T10:00Z"
        raise argparse.ArgumentTypeError(fault) from None
    if not 1971 <= moment.year < 2200:
        raise argparse.ArgumentTypeError(f"{text!r} is out of range; accepted: 1971 to 2199")
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _number(most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = 0.0
        if not 0 < number <= most:
            fault = f"{text!r} is not accepted; accepted: above 0, at most {most:g}"
            raise argparse.ArgumentTypeError(fault)
        return number

    return read
