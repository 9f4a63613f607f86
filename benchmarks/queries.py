"""How long questions about segments take, through scoring's HTTP routes.

    python -m benchmarks.queries [--answers 1000000 ...] [--segments 10000] [--rounds 40]
                                 [--large] [--json FILE]

Real PostgreSQL (the embedded one), eight dimensions, one configured pair, answers over 60 days
so that a window of 30 days and the one before it hold all of them; 30 % of the answers were
invited, and as many invitations have no answer. Every shape is asked three ways:

columns   out of the columns in memory, which hold everything
busy      the same while 200 answers a second are counted in the same process
database  without columns: running counts where the slice has them, else the answers

A page has 500 groups. Answers of a day are taken to be alike, so that intervals are widened. The
application is called in the process: no network is measured.
"""

import argparse
import asyncio
import gc
import json
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx
import numpy as np
import uvloop
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.queries_input import Sizes, fill, sizes_of
from benchmarks.queries_stream import arriving
from services.scoring.api import Reading, build_routers
from services.scoring.domain.alikeness import Alikeness
from services.scoring.store.columns import Columns
from services.scoring.store.reader import Reader
from services.scoring.worker.columns import tend
from shared.db import migrate, open_engine
from shared.embedded.system import start_blocking, stop_blocking
from shared.keys import KeyFile
from shared.metrics import Registry
from shared.programme.scoring import DAY
from shared.web import Parts, build_web

PAGE: Final = "500"
SHAPES: Final[Mapping[str, tuple[str, Mapping[str, str | list[str]]]]] = {
    "all": ("scores", {}),
    "one": ("scores", {"by": "product"}),
    "pair configured": ("scores", {"by": "region,product"}),
    "pair free": ("scores", {"by": "shop,country"}),
    "pair, where a third": ("scores", {"by": "shop,country", "where": ["tier:tier 1"]}),
    "one, where two": ("scores", {"by": "agent", "where": ["region:region 1", "queue:queue 2"]}),
    "one, of a survey": ("scores", {"by": "agent", "survey": "survey 1"}),
    "one, by event": ("scores", {"by": "product", "time": "event"}),
    "trend by day": ("trend", {"by": "channel", "bucket": "1d"}),
    "trend by hour": ("trend", {"by": "region", "bucket": "1h"}),
    "answers of a few": ("responses", {"where": ["product:product 1", "agent:agent 7"]}),
}
GROWING: Final = ("pair configured", "pair free", "trend by day")


@dataclass(frozen=True)
class Asked:
    """How long one shape took, in milliseconds."""

    answers: int
    segments: int
    shape: str
    way: str
    rounds: int
    p50_ms: float
    p95_ms: float
    p99_ms: float

    def line(self) -> str:
        times = f"{self.p50_ms:9.1f} {self.p95_ms:9.1f} {self.p99_ms:9.1f}"
        return f"{self.answers:9,} {self.segments:7,} {self.shape:20} {self.way:9} {times} ms"


@dataclass(frozen=True)
class Place:
    """A filled database."""

    engine: AsyncEngine
    answers: int
    segments: int
    sizes: Sizes


def client_of(reader: Reader, sizes: Sizes) -> httpx.AsyncClient:
    """Scoring's application, called in the process."""
    reading = Reading(
        reader=reader,
        dimensions=dict.fromkeys(sizes),
        timezone="Europe/Berlin",
        now=lambda: datetime.now(UTC),
        behind=lambda: 0.0,
        alike=Alikeness((DAY,), {("nps", "", DAY): 0.02}),
    )
    web = build_web(
        "scoring",
        routers=build_routers(reading, asyncio.Event()),
        parts=Parts(),
        registry=Registry(),
        keys=KeyFile(None),
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(web), base_url="http://scoring")


async def ask(client: httpx.AsyncClient, shape: str) -> float:
    """Ask once; milliseconds."""
    route, query = SHAPES[shape]
    window = {} if route == "responses" else {"metric": "nps", "window": "30d"}
    limit = "50" if route == "responses" else PAGE
    began = time.perf_counter()
    reply = await client.get(f"/v1/{route}", params={**query, **window, "limit": limit})
    took = time.perf_counter() - began
    if reply.status_code != httpx.codes.OK:
        raise SystemExit(f"{shape}: {reply.text}")
    return took * 1000


async def measure(
    place: Place, reader: Reader, way: str, rounds: int, shapes: Sequence[str]
) -> list[Asked]:
    """Ask every shape, one after the other; the first time does not count."""
    found = []
    gc.collect()
    gc.freeze()  # as the services do once they have started
    async with client_of(reader, place.sizes) as client:
        for shape in shapes:
            await ask(client, shape)
            times = [await ask(client, shape) for _ in range(rounds)]
            quantiles = [float(one) for one in np.percentile(times, [50, 95, 99])]
            one = Asked(place.answers, place.segments, shape, way, rounds, *quantiles)
            print(one.line(), flush=True)
            found.append(one)
    return found


async def filled(place: Place) -> Reader:
    """A reader whose columns hold everything; says how long that took."""
    columns = Columns(4 * place.answers + 100_000)
    began = time.perf_counter()
    while await tend(place.engine, columns):
        pass
    held = columns.held
    if held is None:
        raise SystemExit("nothing is held")
    took = time.perf_counter() - began
    each = held.bytes / max(1, held.size)
    print(f"{held.size:,} entries in {took:.1f} s, {each:.1f} bytes each", flush=True)
    return Reader(place.engine, columns=columns)


async def run_size(url: str, told: argparse.Namespace, answers: int) -> list[Asked]:
    """Every shape in all three ways."""
    async with open_engine(url, schema="scoring") as engine:
        place = Place(engine, answers, told.segments, sizes_of(told.segments))
        await fill(engine, answers, place.sizes)
        slowly = max(3, told.rounds // 8)
        reader = await filled(place)
        found = await measure(place, reader, "columns", told.rounds, list(SHAPES))
        async with arriving(engine, place.sizes, 200):
            found += await measure(place, reader, "busy", told.rounds, list(SHAPES))
        found += await measure(place, Reader(engine), "database", slowly, list(SHAPES))
    return found


async def run_growth(url: str, told: argparse.Namespace, segments: int) -> list[Asked]:
    """The same answers in more and more segments."""
    async with open_engine(url, schema="scoring") as engine:
        place = Place(engine, told.growth, segments, sizes_of(segments))
        await fill(engine, place.answers, place.sizes)
        reader = await filled(place)
        found = await measure(place, reader, "columns", told.rounds, GROWING)
        return found + await measure(place, Reader(engine), "database", told.rounds // 4, GROWING)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--segments", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--growth", type=int, default=100_000, help="answers; 0: none")
    parser.add_argument("--large", action="store_true", help="3,000,000 answers too")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    told = parser.parse_args()
    var = Path(tempfile.mkdtemp(prefix="earshot-bench-"))
    found: list[Asked] = []
    try:
        url = start_blocking(var, None).database_url
        migrate(url, "scoring")
        for answers in [*told.answers, *([3_000_000] if told.large else [])]:
            found += uvloop.run(run_size(url, told, answers))
        for segments in (10, 100, 1_000, 10_000) if told.growth else ():
            found += uvloop.run(run_growth(url, told, segments))
    finally:
        stop_blocking(var)
        shutil.rmtree(var, ignore_errors=True)
    if told.json is not None:
        told.json.write_text(json.dumps([asdict(one) for one in found]))


if __name__ == "__main__":
    main()
