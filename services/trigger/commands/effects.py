"""The effect of a changed programme for a person to read."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from services.trigger.domain.backtest import Effect, Row
from services.trigger.domain.reasons import Reason
from services.trigger.handlers.backtesting import Comparison

COLUMNS: Final = ("trigger", "day", "reason", "today", "changed", "difference")
_WIDE: Final = 160  # where it is no terminal that says how wide it is
_ASKING: Final = frozenset({Reason.ASKED, Reason.QUIET_HOURS})
_ORDER: Final = tuple(Reason)
_NO_TRIGGER: Final = "(none)"


def cells(row: Row) -> dict[str, Any]:
    """A row by `COLUMNS`; the day is empty in a total."""
    day = "" if row.day is None else row.day.isoformat()
    numbers = (row.today, row.changed, row.difference)
    return dict(zip(COLUMNS, (row.trigger, day, row.reason.value, *numbers), strict=True))


def totals(rows: Sequence[Row]) -> Sequence[Row]:
    """The rows of all days together, by trigger and reason."""
    today: Counter[tuple[str, Reason]] = Counter()
    changed: Counter[tuple[str, Reason]] = Counter()
    for row in rows:
        today[row.trigger, row.reason] += row.today
        changed[row.trigger, row.reason] += row.changed
    return [
        Row(trigger, None, reason, today[trigger, reason], changed[trigger, reason])
        for trigger, reason in sorted(
            today, key=lambda pair: (pair[0], list(Reason).index(pair[1]))
        )
    ]


def show(found: Comparison) -> None:
    """Print the rows, the totals, and how far they are to be trusted."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDE)
    rows = found.rows
    console.print(_table(rows, "by day"))
    console.print(_table(totals(rows), "all days"))
    for sentence in _sentences(found, rows):
        console.print(sentence, markup=False, soft_wrap=True)


def _table(rows: Sequence[Row], title: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in COLUMNS:
        table.add_column(name, justify="right" if name in COLUMNS[3:] else "left")
    for row in rows:
        shown = cells(row)
        sign = f"{row.difference:+d}" if row.difference else "0"
        shown |= {"difference": sign, "trigger": row.trigger or _NO_TRIGGER}
        table.add_row(*map(str, shown.values()), style="bold" if row.difference else None)
    return table


def _sentences(found: Comparison, rows: Sequence[Row]) -> Iterator[str]:
    changed, ledgered = found.changed, found.ledgered
    asked = [row for row in rows if row.reason in _ASKING]
    today, then = sum(row.today for row in asked), sum(row.changed for row in asked)
    yield f"asked: {today} today, {then} changed ({then - today:+d})"
    yield f"changed: {changed.programme.digest}"
    if found.today is not None:
        yield f"today: {found.today.programme.digest}, decided again"
    else:
        made = ", ".join(f"{n} by {digest}" for digest, n in ledgered.by_programme.items())
        yield f"today: as the ledger has it; decided {made or 'by nobody'}"
    yield from _trust(found.checked)
    for (trigger, missing), number in sorted(changed.left_out.items()):
        yield f"left out: {number} decisions of {trigger}, for {missing} was not kept"
    if ledgered.lost:
        yield f"left out: {ledgered.lost} decisions on events that were not kept"
    if changed.programme.schedules:
        yield "relational surveys come up when they did; a changed rhythm is not decided again"


def _trust(effect: Effect) -> Iterator[str]:
    if not effect.compared:
        yield "decided again as recorded: nothing to compare, the ledger is another programme's"
        return
    yield f"decided again as recorded: {effect.same} of {effect.compared}"
    for slip in effect.slips:
        about = f"{slip.trigger or _NO_TRIGGER} on {slip.event_id} of {slip.source}"
        yield f"  not so: {about} was {slip.recorded}, is {slip.again}"
