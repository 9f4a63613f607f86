"""Real data played through the public interfaces, and what became of its events."""

import asyncio
import csv
import gzip
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from services.trigger.domain.reasons import Reason
from tests.support.system import ROOT, System

Page = Callable[[dict[str, str]], Awaitable[Any]]
Explained = Mapping[str, list[dict[str, Any]]]


def programme_for(folder: Path, dimensions: Sequence[str]) -> Path:
    """The shipped programme with other dimensions."""
    folder.mkdir()
    for path in (ROOT / "programme").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    lines = ["dimensions:", *(f"  {name}: {{}}" for name in dimensions), "pairs: []", ""]
    (folder / "segments.yaml").write_text("\n".join(lines))
    return folder


def play(system: System, *arguments: str) -> subprocess.Popen[bytes]:
    """`python -m services replay` against a system that runs; it writes to `replay.log`."""
    with (system.var / "replay.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "services", "replay", *arguments],
            cwd=ROOT, env=system.environment, stdout=log, stderr=log,
        )  # fmt: skip


async def finished(process: subprocess.Popen[bytes]) -> int:
    while process.poll() is None:
        await asyncio.sleep(0.05)
    return process.returncode


def event_ids(file: Path) -> set[str]:
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        return {row["event_id"] for row in csv.DictReader(lines)}


async def explained(page_of: Page) -> Explained:
    """The decisions on each event, by its id, from `GET /v1/decisions` page by page."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    params = {"limit": "500"}
    while True:
        page = await page_of(params)
        for item in page["items"]:
            found[item["event_id"]].append(item)
        if page["next"] is None:
            return found
        params["cursor"] = page["next"]


def unexplained(found: Explained, events: Iterable[str]) -> list[str]:
    """The ids of events that have no decision, or one without a reason or a sentence."""
    return [
        event_id
        for event_id in events
        if not found.get(event_id)
        or not all(item["reason"] in list(Reason) and item["sentence"] for item in found[event_id])
    ]


def table_of(found: Explained) -> str:
    """How many decisions by type of event, trigger and reason, with one sentence of each."""
    items = [item for decisions in found.values() for item in decisions]
    rows = Counter((i["event_type"], i["trigger"] or "", i["reason"]) for i in items)
    said = {(i["event_type"], i["trigger"] or "", i["reason"]): i["sentence"] for i in items}
    lines = [f"{len(found)} events, {len(items)} decisions"]
    for key, number in sorted(rows.items()):
        kind, trigger, reason = key
        lines.append(f"{kind:24}{trigger:18}{reason:20}{number:7,}  {said[key]}")
    return "\n".join(lines)
