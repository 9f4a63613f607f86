"""Play historical answers and events through the public interfaces, as fast as they take it.

A system that runs is used as it is; where none does, one is started with the programme given, or
with the default programme whose dimensions are those named here. Rows are sent in the order of
their time. Playing a file again changes nothing. Events older than a trigger's max_age ask nobody.

Columns of answers: response_id, customer_id, occurred_at, touchpoint, metric, scale_max, score,
comment, language, then attributes. Of events: event_id, type, occurred_at, customer_id, amount,
currency, then attributes. Times are RFC 3339 with offset.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from services.commands.client import Client, Unreachable
from services.commands.history import BadFile, History, read_events, read_responses, told
from services.commands.system import open_system

_BATCH: Final = 1_000
_REPORTED: Final = 20


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m services replay",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--responses", type=Path, help="CSV of answers, .gz or plain")
    parser.add_argument("--events", type=Path, help="CSV of events, .gz or plain")
    parser.add_argument(
        "--dimensions", default="", help="columns that are segments: state,category"
    )
    parser.add_argument("--programme", type=Path, help="folder of the programme to start with")
    parser.add_argument("--keep", action="store_true", help="leave a system started here running")
    asked = parser.parse_args(arguments)
    if asked.responses is None and asked.events is None:
        parser.error("name --responses, --events or both")
    dimensions = [name.strip() for name in asked.dimensions.split(",") if name.strip()]
    try:
        histories = _read(asked.responses, asked.events, dimensions)
        return asyncio.run(_replay(histories, dimensions, asked.programme, keep=asked.keep))
    except (BadFile, Unreachable) as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _read(
    responses: Path | None, events: Path | None, dimensions: Sequence[str]
) -> dict[str, History]:
    histories = {}
    if events is not None:
        histories["events"] = read_events(events, dimensions)
    if responses is not None:
        histories["responses"] = read_responses(responses, dimensions)
    for name, history in histories.items():
        for line in told(history.skipped):
            print(f"{name} {line}")
    return histories


async def _replay(
    histories: dict[str, History], dimensions: Sequence[str], programme: Path | None, *, keep: bool
) -> int:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            open_system(programme=programme, dimensions=dimensions, keep=keep)
        )
        await client.need_dimensions(dimensions)
        refused = await _play(histories, client)
        await client.settled()
        await _report(client, refused)
    return 1 if refused else 0


async def _play(histories: dict[str, History], client: Client) -> int:
    """Send everything in the order of time; return how many rows were refused."""
    rows = [(when, kind, body) for kind, h in histories.items() for when, body in h.bodies]
    rows.sort(key=lambda row: row[0])
    refused = 0
    with _progress() as progress:
        task = progress.add_task("playing", total=len(rows))
        for start in range(0, len(rows), _BATCH):
            part = rows[start : start + _BATCH]
            for kind in histories:
                bodies = [body for _, k, body in part if k == kind]
                refused += _tell(kind, await client.send(kind, bodies))
            progress.advance(task, len(part))
    return refused


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True))


def _tell(kind: str, rejected: Sequence[dict[str, Any]]) -> int:
    for item in rejected[:_REPORTED]:
        print(f"{kind} {item.get('id') or item['index']}: refused, {item['error']['detail']}")
    return len(rejected)


async def _report(client: Client, refused: int) -> None:
    for metric in ("nps", "csat", "ces"):
        scores = await client.scores(metric=metric, **{"from": "2000-01-01T00:00:00Z"})
        for group in scores["groups"]:
            if group["n"]:
                low, high = group["interval"]
                print(f"{metric}: {group['score']:.1f} [{low:.1f}, {high:.1f}], n {group['n']}")
    alerts = await client.alerts()
    print(f"{len(alerts)} alerts" + "".join(f"\n  {_alert(alert)}" for alert in alerts))
    if refused:
        print(f"{refused} rows were refused, each with its reason above")


def _alert(alert: dict[str, Any]) -> str:
    where = ", ".join(f"{k} {v}" for k, v in alert["segment"].items()) or "everywhere"
    rate = alert["detractor_rate"]
    return (
        f"{alert['opened_at']} {alert['metric']} {where}: {rate['baseline']:.0%} -> "
        f"{rate['current']:.0%}, n {alert['n']}, {alert['state']}"
    )
