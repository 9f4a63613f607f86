"""Acknowledged answers a second through `POST /v1/responses`, beside three yardsticks in one run.

    python -m benchmarks.ingest [--seconds 4] [--rounds 3] [--connections 64] [--json FILE]

earshot   ingest as it is served, every 202 acknowledged by the broker with acks=all
awaited   FastAPI, a pydantic model, one awaited `send_and_wait` per request
fastapi   a FastAPI route that only echoes its JSON
asgi      an ASGI function that only echoes its body

Each is one process with uvloop and httptools; the load comes from another process over keep-alive
connections (`wrk`, or asyncio where it is missing). The rounds alternate, medians are compared;
`cpu us` is the server's own processor time per request, which neighbours disturb least.
"""

import argparse
import asyncio
import gc
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

TOPIC: Final = "survey-responses"
MODES: Final = ("earshot", "awaited", "fastapi", "asgi")
BASE_PORT: Final = 18_100
ANSWER: Final = {
    "survey": "post-call",
    "customer_id": "c-1001",
    "touchpoint": "support-call",
    "segments": {"region": "EU", "queue": "billing", "agent": "a-17", "channel": "phone"},
    "answers": {
        "score": 2,
        "reasons": ["waiting-time"],
        "comment": "I waited for twenty minutes and then had to explain everything once more.",
    },
    "language": "en",
    "answered_at": "2026-01-21T11:02:03Z",
}
LUA: Final = """
local count, thread_number = 0, 0
function setup(thread) thread:set("number", thread_number); thread_number = thread_number + 1 end
function request()
  count = count + 1
  local id = "r-" .. number .. "-" .. os.time() .. "-" .. count
  return wrk.format("POST", "/v1/responses", {["content-type"] = "application/json"},
    '{"id":"' .. id .. '",' .. REST)
end
"""


def build_app(mode: str, producer: Any) -> Any:
    """The application of one mode; `producer` is aiokafka's for `awaited`, ours for `earshot`."""
    if mode == "asgi":
        return _asgi_echo
    if mode == "fastapi":
        return _fastapi_echo()
    return _awaited(producer) if mode == "awaited" else _earshot(producer)


async def _asgi_echo(scope: Any, receive: Any, send: Any) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _fastapi_echo() -> Any:
    from fastapi import FastAPI

    app = FastAPI()

    @app.post("/v1/responses", status_code=202)
    async def echo(body: dict[str, Any]) -> dict[str, Any]:
        return body

    return app


def _awaited(producer: Any) -> Any:
    from datetime import datetime

    from fastapi import FastAPI
    from pydantic import BaseModel, ConfigDict, Field

    class Given(BaseModel):
        model_config = ConfigDict(extra="forbid")
        score: int = Field(ge=0, le=10)
        reasons: list[str] = []
        comment: str | None = Field(None, max_length=10_000)

    class Submission(BaseModel):
        model_config = ConfigDict(extra="forbid")
        id: str = Field(min_length=1, max_length=200)
        survey: str
        customer_id: str | None = None
        touchpoint: str | None = None
        segments: dict[str, str] = {}
        answers: Given
        language: str | None = None
        answered_at: datetime | None = None

    class Accepted(BaseModel):
        id: str
        status: str = "accepted"

    app = FastAPI()

    @app.post("/v1/responses", status_code=202)
    async def post(body: Submission) -> Accepted:
        await producer.send_and_wait(TOPIC, body.model_dump_json().encode(), body.id.encode())
        return Accepted(id=body.id)

    return app


def _earshot(producer: Any) -> Any:
    from services.ingest.app import build_ingest
    from services.ingest.settings import IngestSettings
    from shared.programme.loading import load_programme

    settings = IngestSettings(kafka_bootstrap="x", token_keys="k" * 32)

    class Nobody:
        async def record(self, invitation_id: str) -> bool:
            return False

    async def fine() -> None:
        return None

    web, _ = build_ingest(settings, load_programme(ROOT / "programme"), producer, Nobody(), fine)
    return web


async def serve(mode: str, port: int, bootstrap: str) -> None:
    import uvicorn
    from aiokafka import AIOKafkaProducer

    from shared.stream.kafka import open_producer
    from shared.stream.records import Broker

    async def listen(producer: Any) -> None:
        app = build_app(mode, producer)
        config = uvicorn.Config(
            app, port=port, log_level="critical", access_log=False, lifespan="off", ws="none",
            loop="uvloop", http="httptools", backlog=2048, server_header=False,
        )  # fmt: skip
        gc.collect()
        gc.freeze()  # as `shared.process` does; all modes have it
        await uvicorn.Server(config).serve()

    if mode == "earshot":
        async with open_producer(Broker(bootstrap, "bench"), bound_s=1.5) as ours:
            await listen(ours)
    elif mode == "awaited":
        theirs = AIOKafkaProducer(
            bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=0
        )
        await theirs.start()
        await listen(theirs)
    else:
        await listen(None)


def load(port: int, connections: int, seconds: float) -> tuple[float, dict[str, float], int]:
    """Good answers a second, latencies in ms (p50, p99), failures."""
    rest = json.dumps(ANSWER, separators=(",", ":"))[1:]
    wrk = shutil.which("wrk")
    if wrk is None:
        return asyncio.run(_asyncio_load(port, connections, seconds, rest))
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(f"REST = [==[{rest}]==]\n{LUA}")
        script.flush()
        out = subprocess.run(
            [wrk, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency",
             "-s", script.name, f"http://127.0.0.1:{port}/v1/responses"],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])  # type: ignore[index]
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    shown = dict(re.findall(r"^\s+(50|99)%\s+([\d.]+(?:us|ms|s))$", out, re.MULTILINE))
    return rate, {f"p{k}_ms": _ms(v) for k, v in shown.items()}, int(failed[1]) if failed else 0


def _ms(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


async def _asyncio_load(
    port: int, connections: int, seconds: float, rest: str
) -> tuple[float, dict[str, float], int]:
    waits: list[float] = []
    failures = 0
    ends = time.perf_counter() + seconds

    async def caller(number: int) -> None:
        nonlocal failures
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        count = 0
        while (began := time.perf_counter()) < ends:
            count += 1
            body = f'{{"id":"r-{number}-{began}-{count}",{rest}'.encode()
            writer.write(
                b"POST /v1/responses HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
                b"content-length: %d\r\n\r\n" % len(body) + body
            )
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            await reader.readexactly(int(length[1]) if length else 0)
            waits.append(time.perf_counter() - began)
            failures += not head.startswith(b"HTTP/1.1 202")
        writer.close()

    await asyncio.gather(*(caller(number) for number in range(connections)))
    waits.sort()
    p50, p99 = (waits[int(len(waits) * part)] * 1000 for part in (0.5, 0.99))
    return (len(waits) - failures) / seconds, {"p50_ms": p50, "p99_ms": p99}, failures


def measure(arguments: argparse.Namespace, bootstrap: str) -> dict[str, Any]:
    """All modes in alternating rounds; each mode's medians."""
    found: dict[str, list[Any]] = {mode: [] for mode in arguments.modes}
    servers = {}
    for number, mode in enumerate(arguments.modes):
        port = BASE_PORT + number
        command = [sys.executable, __file__, "--serve", mode, str(port), bootstrap]
        servers[mode] = (port, subprocess.Popen(command, cwd=ROOT))
    try:
        for port, _ in servers.values():
            _wait_for(port)
            load(port, arguments.connections, 1)
        for _ in range(arguments.rounds):
            for mode, (port, server) in servers.items():
                spent = _cpu_s(server.pid)
                rate, waits, failed = load(port, arguments.connections, arguments.seconds)
                spent = _cpu_s(server.pid) - spent
                waits["cpu_us"] = spent / (rate * arguments.seconds) * 1e6
                found[mode].append((rate, waits, failed))
    finally:
        for _, server in servers.values():
            server.kill()  # an idempotent send that is awaited never ends without its broker
            server.wait()
    return {
        mode: {
            "per_second": round(statistics.median(rate for rate, _, _ in runs)),
            "rounds": [round(rate) for rate, _, _ in runs],
            **{key: statistics.median(w[key] for _, w, _ in runs) for key in runs[0][1]},
            "failed": sum(failed for _, _, failed in runs),
        }
        for mode, runs in found.items()
    }


def _cpu_s(pid: int) -> float:
    import psutil

    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _wait_for(port: int) -> None:
    import socket

    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"nothing listens on {port}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--serve", nargs=3, metavar=("MODE", "PORT", "BOOTSTRAP"))
    arguments = parser.parse_args()
    if arguments.serve:
        import uvloop

        mode, port, bootstrap = arguments.serve
        uvloop.run(serve(mode, int(port), bootstrap))
        return
    figures = run(arguments)
    print(report(figures))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    from shared.embedded.kafka import start_kafka, stop_kafka

    with tempfile.TemporaryDirectory() as folder:
        var = Path(folder) / "var"
        broker = start_kafka(var, {TOPIC: 12})
        try:
            modes = measure(arguments, broker.bootstrap)
        finally:
            stop_kafka(var)
    own = modes.get("earshot", {}).get("per_second")
    others = [mode for mode in modes if mode != "earshot"]
    ratios = {f"earshot/{m}": round(own / modes[m]["per_second"], 2) for m in others if own}
    return {"cores": os.cpu_count(), "connections": arguments.connections, **modes, **ratios}


def report(figures: dict[str, Any]) -> str:
    """The figures as a table, then the ratios."""
    lines = [f"{'':<10}{'per second':>12}{'p50 ms':>9}{'p99 ms':>9}{'cpu us':>9}{'failed':>8}"]
    for mode in MODES:
        if mode in figures:
            row = figures[mode]
            lines.append(
                f"{mode:<10}{row['per_second']:>12,}{row['p50_ms']:>9.2f}{row['p99_ms']:>9.2f}"
                f"{row['cpu_us']:>9.1f}{row['failed']:>8}"
            )
    lines += [f"{name} {ratio}" for name, ratio in figures.items() if "/" in name]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
