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
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import psutil
import uvloop

from benchmarks.http_load import load
from benchmarks.ingest_apps import ROOT, TOPIC, serve
from shared.embedded.kafka import start_kafka, stop_kafka

MODES: Final = ("earshot", "awaited", "fastapi", "asgi")
BASE_PORT: Final = 18_100


def measure(arguments: argparse.Namespace, bootstrap: str) -> dict[str, Any]:
    """All modes in alternating rounds; each mode's medians."""
    found: dict[str, list[Any]] = {mode: [] for mode in arguments.modes}
    servers = {}
    for number, mode in enumerate(arguments.modes):
        port = BASE_PORT + number
        command = [sys.executable, "-m", "benchmarks.ingest", "--serve", mode, str(port), bootstrap]
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
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _wait_for(port: int) -> None:
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
        mode, port, bootstrap = arguments.serve
        uvloop.run(serve(mode, int(port), bootstrap))
        return
    figures = run(arguments)
    print(report(figures))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
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
