"""Start-up: from exec to `/readyz`, what is imported meanwhile, and the embedded default."""

import asyncio
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.figures import Cell, Figures, Table
from benchmarks.growth.deployment import SERVICES, Started, started
from benchmarks.growth.growing import Place
from tests.support.system import System

_MOST: Final = 10
_HEAD = (
    "service",
    "imports, s",
    "then programme, database, Kafka, s",
    "then until /readyz is 200, s",
    "all, s",
    "x ingest",
    "processor, s",
)


async def starting(place: Place, figures: Figures) -> None:
    """Three tables."""
    figures.add(await _services(place))
    figures.add(await asyncio.to_thread(_imports, place.rounds))
    figures.add(await _whole(place))


async def _services(place: Place) -> Table:
    found: defaultdict[str, list[Started]] = defaultdict(list)
    for _ in range(place.rounds):
        for service in SERVICES:
            async with (
                place.databases.fresh() as url,
                started(place, url, service) as one,
            ):
                found[service].append(one)
    rows: list[tuple[str, float, float, float, float, float, float]] = []
    for service, all_found in found.items():
        imported, opened, ready, spent = (
            median(getattr(one, f"{name}_s") for one in all_found)
            for name in ("imported", "opened", "ready", "processor")
        )
        first = rows[0][4] if rows else ready
        rows.append(
            (service, imported, opened - imported, ready - opened, ready, ready / first, spent)
        )
    return Table("starting", "From exec to ready, one service after the other", _HEAD, rows)


def _imports(rounds: int) -> Table:
    """By package: own time of its modules, the least of the rounds."""
    spent = {service: _packages(service, max(2, rounds)) for service in SERVICES}
    together = sum(spent.values(), Counter[str]())
    rows: list[Sequence[Cell]] = [
        (name, *(float(of[name]) for of in spent.values()))
        for name, _ in together.most_common(_MOST)
    ]
    rows.append(("all", *(float(of.total()) for of in spent.values())))
    head = ("package", *(f"{service}, ms" for service in SERVICES))
    return Table("imports", "What importing a service takes, by package", head, rows)


def _packages(service: str, rounds: int) -> Counter[str]:
    least: dict[str, float] = {}
    for _ in range(rounds):
        for module, own_ms in _imported(service):
            least[module] = min(own_ms, least.get(module, own_ms))
    packages = Counter[str]()
    for module, own_ms in least.items():
        packages[module.partition(".")[0]] += own_ms  # type: ignore[assignment]
    return packages


def _imported(service: str) -> list[tuple[str, float]]:
    command = [sys.executable, "-X", "importtime", "-c", f"import services.{service}.app"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    rows = (line.removeprefix("import time:").split("|") for line in said.splitlines()[1:])
    return [(row[2].strip(), int(row[0]) / 1e3) for row in rows if len(row) == 3]


async def _whole(place: Place) -> Table:
    """`python -m services` with nothing named; the second start finds its database made."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for number in range(place.rounds):
        var = Path(place.servers.var) / f"whole-{number}"
        for name in ("an empty folder", "again"):
            system = System(var, {"EARSHOT_LOG_LEVEL": "warning"})
            try:
                found[name].append(await system.start(within_s=90))
                system.terminate()
            finally:
                await system.close()
    first = median(found["an empty folder"])
    rows = [(name, median(took), median(took) / first) for name, took in found.items()]
    head = ("`python -m services` in", "s until all four are ready", "x the first")
    return Table("whole", "The embedded default, with its own servers", head, rows)
