"""Load over keep-alive connections: `wrk`, or asyncio where it is missing."""

import asyncio
import json
import re
import shutil
import subprocess
import tempfile
import time
from typing import Final

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
