"""Reading the body of an answer and replying: msgspec, pydantic, json; our path, FastAPI's route.

`read` is the body to a checked value: msgspec's struct as our fast path has it, pydantic's model of
the plain way, and `json.loads`, which checks nothing. `answered` is the whole application called by
a server that costs nothing, with a producer that acknowledges at once.
"""

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.figures import Cell, Figures, Table
from benchmarks.ingest.apps import Submission, plain
from benchmarks.ingest.http_load import PATH, body_of
from benchmarks.servers import Servers
from services.ingest.app import build_ingest, catalogue_of
from services.ingest.domain.plain import read_plain
from services.ingest.domain.submissions import Receipt
from services.ingest.handlers.ports import Outside
from services.ingest.settings import IngestSettings
from shared.clock import utc_now
from shared.programme.loading import load_programme
from shared.stream import Outgoing
from shared.web import Parts

_PROGRAMME: Final = load_programme(Path(__file__).resolve().parents[2] / "programme")
_BODY: Final = body_of(1).encode()
_ROUNDS: Final = 15
_AT_ONCE: Final = 64


class Instant:
    """A producer, ours and aiokafka's, that acknowledges at once."""

    async def send(self, records: Sequence[Outgoing], *, together: bool = False) -> None:
        pass

    async def send_and_wait(self, topic: str, value: bytes, key: bytes) -> None:
        pass

    async def record(self, invitation_id: str) -> bool:
        return bool(invitation_id)


async def measure(figures: Figures, at: Servers, seconds: float) -> None:
    """Add the tables `read` and `answered`."""
    catalogue, receipt = catalogue_of(_PROGRAMME), Receipt(utc_now(), "api")
    read: dict[str, Callable[[], object]] = {
        "msgspec: fields, rules and record": lambda: read_plain(_BODY, catalogue, receipt),
        "pydantic: fields": lambda: Submission.model_validate_json(_BODY),
        "json.loads: nothing": lambda: json.loads(_BODY),
        "msgspec.json.decode: nothing": lambda: msgspec.json.decode(_BODY),
    }
    columns = ("", "cpu us a body")
    rows: list[list[Cell]] = [[name, _median_us(work, seconds)] for name, work in read.items()]
    figures.add(Table("read", "A body is read and checked", columns, rows))
    ours, theirs = _ours(), plain(Instant())
    apps = {"earshot's path": ours, "FastAPI's route with pydantic": theirs}
    costs: dict[str, list[float]] = {name: [] for name in apps}
    for _ in range(_ROUNDS):
        for name, app in apps.items():
            costs[name].append(await _turn(app, seconds / _ROUNDS))
    answered: list[list[Cell]] = [[name, statistics.median(found)] for name, found in costs.items()]
    head = ("", "cpu us an answer")
    figures.add(Table("answered", "An answer without server and Kafka", head, answered))


def _median_us(work: Callable[[], object], seconds: float) -> float:
    assert work() is not None
    found = []
    for _ in range(_ROUNDS):
        done, spent, ends = 0, time.process_time(), time.perf_counter() + seconds / _ROUNDS / 4
        while time.perf_counter() < ends:
            for _ in range(200):
                work()
            done += 200
        found.append((time.process_time() - spent) / done * 1e6)
    return statistics.median(found)


def _ours() -> Any:
    settings = IngestSettings(kafka_bootstrap="none", token_keys="k" * 32)
    outside = Outside(Instant(), Instant())
    return build_ingest(settings, _PROGRAMME, outside, Parts())[0]


async def _turn(app: Any, seconds: float) -> float:
    """Processor time an answer, in microseconds, for as many at once as a server would have."""
    done, spent, ends = 0, time.process_time(), time.perf_counter() + seconds
    while time.perf_counter() < ends:
        await asyncio.gather(*(_asked(app) for _ in range(_AT_ONCE)))
        done += _AT_ONCE
    return (time.process_time() - spent) / done * 1e6


async def _asked(app: Callable[[Any, Any, Any], Awaitable[None]]) -> None:
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": _BODY, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        statuses.append(message.get("status", 0))

    headers = [(b"host", b"x"), (b"content-type", b"application/json")]
    headers.append((b"content-length", b"%d" % len(_BODY)))
    scope: dict[str, Any] = {
        "type": "http", "method": "POST", "path": PATH, "raw_path": PATH.encode(),
        "root_path": "", "query_string": b"", "headers": headers, "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2), "scheme": "http", "http_version": "1.1", "state": {},
        "asgi": {"version": "3.0", "spec_version": "2.3"},
    }  # fmt: skip
    await app(scope, receive, send)
    assert statuses[0] == 202
