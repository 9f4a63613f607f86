"""What a backtest found, for a person or a program to read."""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from services.alerts.domain.alerts import Alert
from services.alerts.domain.answers import Line
from services.alerts.domain.rehearsal import Fate, Pair
from services.alerts.domain.spans import in_words
from services.alerts.domain.terms import Policy

_WIDE: Final = 160  # where it is no terminal that says how wide it is
_COLUMNS: Final = ("", "opens", "where", "rise", "answers", "severity", "open for", "really opened")
_STYLES: Final = {Fate.SAME: None, Fate.NEW: "green", Fate.GONE: "red", Fate.TAKEN_BACK: "dim"}


@dataclass(frozen=True)
class Judged:
    """A line that was judged again: from when, listed from when, to when.

    `windows`: of maintenance, that were heeded again.
    """

    line: Line
    span: tuple[datetime, datetime, datetime]
    answers: int
    streams: int
    windows: int = 0


@dataclass(frozen=True)
class Found:
    """All lines judged again by a policy, and the alerts of both, in the order of opening."""

    policy: Policy
    judged: Sequence[Judged]
    pairs: Sequence[Pair]


def show(found: Found) -> None:
    """Print the alerts, and how far the list is to be trusted."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDE)
    if found.pairs:
        console.print(_table(found))
    for sentence in _sentences(found):
        console.print(sentence, markup=False, soft_wrap=True)


def write_json(found: Found) -> None:
    """Write all of it as one JSON object."""
    written = {
        "settings": _settings(found.policy),
        "judged": [_judged(one) for one in found.judged],
        "alerts": [_both(pair) for pair in found.pairs],
    }
    sys.stdout.write(json.dumps(written, ensure_ascii=False, indent=2) + "\n")


def _table(found: Found) -> Table:
    table = Table(box=None, pad_edge=False)
    ends = {one.line: one.span[2] for one in found.judged}
    for name in _COLUMNS:
        table.add_column(name, justify="right" if name in {"rise", "answers"} else "left")
    for pair in found.pairs:
        alert = pair.shown
        end = alert.resolved_at
        hours = ((end or ends[alert.line]) - alert.opened_at) / timedelta(hours=1)
        table.add_row(
            pair.fate.value,
            _time(alert.opened_at),
            _where(alert),
            f"{alert.rise.points:+.1f}",
            str(alert.n),
            alert.severity.value,
            in_words(hours) if end else f"{in_words(hours)}, still",
            _really(pair),
            style=_STYLES[pair.fate],
        )
    return table


def _really(pair: Pair) -> str:
    if pair.real is None:
        return "-"
    if pair.later:
        hours = pair.later / timedelta(hours=1)
        return f"{in_words(abs(hours))} {'earlier' if hours > 0 else 'later'}"
    return "then" if pair.again else _time(pair.real.opened_at)


def _where(alert: Alert) -> str:
    places = ", ".join(f"{name} {value}" for name, value in sorted(alert.segment.items()))
    line = f"{alert.metric} of {alert.survey}" if alert.survey else alert.metric
    return f"{line}: {places or 'everywhere'}"


def _sentences(found: Found) -> Iterator[str]:
    fates = Counter(pair.fate for pair in found.pairs)
    yield f"alerts: {fates[Fate.SAME]} the same, {fates[Fate.NEW]} new, {fates[Fate.GONE]} gone"
    if fates[Fate.TAKEN_BACK]:
        yield (
            f"taken back: {fates[Fate.TAKEN_BACK]}, raised in earnest by a minute that was not over"
        )
    for one in found.judged:
        name = f"{one.line.metric} of {one.line.survey}" if one.line.survey else one.line.metric
        judged, listed, end = one.span
        yield (
            f"{name}: {one.answers} answers of {one.streams} streams, judged from {_time(judged)},"
            f" listed from {_time(listed)} to {_time(end)};"
            f" {one.windows} maintenance window{'' if one.windows == 1 else 's'} replayed"
        )
    if not found.judged:
        yield "nothing was judged yet: no answers to judge again"
    policy = found.policy
    yield (
        f"by {policy.false_alarms_per_week:g} false alarms a week and a smallest rise of"
        f" {100 * policy.smallest_rise:g} points"
    )


def _settings(policy: Policy) -> dict[str, float]:
    return {
        "false_alarms_per_week": policy.false_alarms_per_week,
        "smallest_rise": round(100 * policy.smallest_rise, 6),
    }


def _judged(one: Judged) -> dict[str, Any]:
    judged, listed, end = (moment.isoformat() for moment in one.span)
    numbers = {
        "answers": one.answers,
        "streams": one.streams,
        "maintenance_windows": one.windows,
    }
    names = {"metric": one.line.metric, "survey": one.line.survey or None}
    return {**names, "judged_from": judged, "from": listed, "to": end, **numbers}


def _both(pair: Pair) -> dict[str, Any]:
    later = pair.later
    return {
        "fate": pair.fate.value,
        "again": _alert(pair.again),
        "real": _alert(pair.real),
        "later_s": None if later is None else later.total_seconds(),
    }


def _alert(alert: Alert | None) -> dict[str, Any] | None:
    if alert is None:
        return None
    ended = alert.resolved_at
    return {
        "id": alert.id,
        "metric": alert.metric,
        "survey": alert.survey,
        "segment": alert.segment,
        "began_at": alert.began_at.isoformat(),
        "opened_at": alert.opened_at.isoformat(),
        "resolved_at": ended.isoformat() if ended else None,
        "open_h": round((ended - alert.opened_at) / timedelta(hours=1), 2) if ended else None,
        "state": alert.state.value,
        "severity": alert.severity.value,
        "n": alert.n,
        "detractors": alert.detractors,
        "rise_points": round(alert.rise.points, 2),
    }


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
