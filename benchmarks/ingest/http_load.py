"""Load by `wrk` (Debian's package of that name) over connections that stay open."""

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from typing import Final, NamedTuple

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
PATH: Final = "/v1/responses"
# one thread of wrk for each port; every answer has an id of its own
_LUA: Final = """
local count, threads = 0, 0
function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
  thread.addr = wrk.lookup("127.0.0.1", PORTS[threads])[1]
end
local function one()
  count = count + 1
  return '{"id":"r-' .. os.time() .. "-" .. number .. "-" .. count .. '",' .. REST
end
function request()
  local body = one()
  if BATCH > 0 then
    local all = { body }
    for place = 2, BATCH do all[place] = one() end
    body = "[" .. table.concat(all, ",") .. "]"
  end
  return HEAD .. #body .. "\\r\\n\\r\\n" .. body
end
"""


class Load(NamedTuple):
    """Good replies; others and broken connections; the seconds that took; the waits in ms."""

    good: int
    failed: int
    seconds: float
    p50_ms: float
    p99_ms: float


def body_of(number: int) -> str:
    """One answer as JSON."""
    return json.dumps({"id": f"first-{number}", **ANSWER})


def load(
    ports: Sequence[int], connections: int, seconds: float, *, batch: int = 0, key: str = ""
) -> Load:
    """Send as fast as answers come. `batch` answers a request (0: one, by itself)."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise SystemExit("wrk is missing: Debian has it as the package wrk")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_script(ports, batch, key))
        script.flush()
        out = subprocess.run(
            [wrk, f"-t{len(ports)}", f"-c{connections}", f"-d{max(1, round(seconds))}s",
             "--latency", "-s", script.name, f"http://127.0.0.1:{ports[0]}"],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    return _read(out)


def _script(ports: Sequence[int], batch: int, key: str) -> str:
    path = f"{PATH}/batch" if batch else PATH
    head = rf"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    if key:
        head += rf"authorization: Bearer {key}\r\n"
    rest = json.dumps(ANSWER, separators=(",", ":"))[1:]
    listed = ", ".join(f'"{port}"' for port in ports)
    return (
        f"PORTS = {{ {listed} }}\nBATCH = {batch}\nREST = [==[{rest}]==]\n"
        f'HEAD = "{head}content-length: "\n{_LUA}'
    )


def _read(out: str) -> Load:
    total, seconds = _found(r"(\d+) requests in ([\d.]+)s", out)
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    wrong = int(failed[1]) if failed else 0
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
    lost = sum(map(int, broken.groups())) if broken else 0
    waits = dict(re.findall(r"^\s+(50|99)%\s+([\d.]+(?:us|ms|s|m))\s*$", out, re.MULTILINE))
    good, took = int(total) - wrong, float(seconds)
    return Load(good, wrong + lost, took, _ms(waits["50"]), _ms(waits["99"]))


def _found(pattern: str, text: str) -> Sequence[str]:
    found = re.search(pattern, text)
    if found is None:
        raise SystemExit(f"wrk said something else than {pattern!r}:\n{text}")
    return found.groups()


def _ms(text: str) -> float:
    number, unit = _found(r"([\d.]+)(us|ms|s|m)", text)
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}[unit]
