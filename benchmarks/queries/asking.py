"""Questions of thirteen shapes, asked of scoring's application in the process, again and again."""

import asyncio
import gc
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import httpx
import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import Cell
from benchmarks.queries.drawing import Sizes
from services.scoring.api import Reading, build_routers
from services.scoring.domain.alikeness import Alikeness
from services.scoring.store.reader import Reader
from shared.keys import KeyFile
from shared.metrics import Registry
from shared.programme.scoring import DAY
from shared.web import Parts, build_web

_PAGE: Final = "500"
LEAST: Final[Mapping[float, int]] = {95: 20, 99: 100}  # times asked, for a percentile
ROUNDS: Final = 3  # at least, however long one takes
SHAPES: Final[Mapping[str, tuple[str, Mapping[str, str | list[str]]]]] = {
    "all": ("scores", {}),
    "by one": ("scores", {"by": "product"}),
    "by a counted pair": ("scores", {"by": "region,product"}),
    "by any pair": ("scores", {"by": "shop,country"}),
    "by any pair, one of a third": ("scores", {"by": "shop,country", "where": ["tier:tier 1"]}),
    "by one, one of two others": (
        "scores",
        {"by": "agent", "where": ["region:region 1", "queue:queue 2"]},
    ),
    "by one, of a survey": ("scores", {"by": "agent", "survey": "survey 1"}),
    "by one, by the event's time": ("scores", {"by": "product", "time": "event"}),
    "trend by day": ("trend", {"by": "channel", "bucket": "1d"}),
    "trend by hour": ("trend", {"by": "region", "bucket": "1h"}),
    "answers of a few": ("responses", {"where": ["product:product 1", "agent:agent 7"]}),
    "coverage": ("coverage", {"by": "product"}),
    "reasons": ("reasons", {"by": "region"}),
}
IN_DATABASE: Final = frozenset({"answers of a few", "coverage", "reasons"})


@dataclass(frozen=True)
class Times:
    """Milliseconds that one shape took, each time it was asked."""

    each: NDArray[np.float64]

    def at(self, percent: float) -> float | None:
        """A percentile; none where so few were asked that it would be the slowest one's time."""
        if len(self.each) < LEAST.get(percent, 1):
            return None
        return float(np.percentile(self.each, percent))

    def cells(self) -> Sequence[Cell]:
        """How often it was asked, and p50, p95, p99."""
        return (len(self.each), *map(self.at, (50, 95, 99)))


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


async def ask_all(
    reader: Reader, sizes: Sizes, seconds: float, least: int = ROUNDS
) -> dict[str, Times]:
    """Every shape for so long, and `least` times; the first time does not count."""
    gc.collect()
    gc.freeze()  # as the services do once they have started
    found = {}
    async with client_of(reader, sizes) as client:
        for shape in SHAPES:
            await ask(client, shape)
            times: list[float] = []
            while len(times) < least or sum(times) < seconds * 1000:
                times.append(await ask(client, shape))
            found[shape] = Times(np.array(times))
    return found


async def ask(client: httpx.AsyncClient, shape: str) -> float:
    """Ask once; milliseconds."""
    route, query = SHAPES[shape]
    told = {**query, "limit": "50" if route == "responses" else _PAGE}
    told |= {} if route == "responses" else {"window": "30d"}
    told |= {"metric": "nps"} if route in ("scores", "trend", "reasons") else {}
    began = time.perf_counter()
    reply = await client.get(f"/v1/{route}", params=told)
    took = time.perf_counter() - began
    if reply.status_code != httpx.codes.OK:
        raise SystemExit(f"{shape}: {reply.text}")
    return took * 1000
