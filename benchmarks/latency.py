"""Event to dispatch and answer to score, on the whole embedded system, idle but for this program.

Event to dispatch: from before `POST /v1/events` to the mail standing in its folder (the time of its
rename). Answer to score: from before `POST /v1/responses` to the first `GET /v1/scores` that
counts it.
"""

import argparse
import asyncio
import json
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import Any

from tests.support.system import System, open_system

ROUNDS = 200
PAUSE_S = 0.03


async def dispatches(system: System, rounds: int) -> list[float]:
    """Seconds from event to mail, one per event."""
    mail = system.var / "mail"
    sent: dict[str, int] = {}
    for number in range(rounds):
        customer = f"bench-{number}"
        sent[customer] = time.time_ns()
        reply = await system.post("ingest", "/v1/events", event(customer))
        assert reply.status_code == 202, reply.text
        await asyncio.sleep(PAUSE_S)
    deadline = time.monotonic() + 30
    while len(list(mail.glob("*.eml"))) < rounds:
        if time.monotonic() > deadline:
            raise SystemExit(f"only {len(list(mail.glob('*.eml')))} of {rounds} mails were written")
        await asyncio.sleep(0.1)
    found = []
    for path in mail.glob("*.eml"):
        customer = path.read_text(encoding="utf-8").split("@bench.example")[0].rsplit("<", 1)[-1]
        name = customer.rsplit(" ", 1)[-1].strip()
        found.append((path.stat().st_ctime_ns - sent[name]) / 1e9)
    return found


def event(customer: str) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"evt-{customer}",
        "source": "/bench",
        "type": "support_call.ended",
        "time": datetime.now(UTC).isoformat(),
        "data": {
            "customer": {"id": customer, "email": f"{customer}@bench.example", "locale": "de"},
            "call": {"id": f"call-{customer}", "queue": "billing", "talk_s": 90},
            "segments": {"region": "EU"},
        },
    }


async def scores(system: System, rounds: int) -> list[float]:
    """Seconds from answer to the score that counts it."""
    found = []
    for number in range(rounds):
        body = {"id": f"bench-{number}", "metric": "nps", "answers": {"score": number % 11}}
        started = time.perf_counter()
        reply = await system.post("ingest", "/v1/responses", body)
        assert reply.status_code == 202, reply.text
        while True:
            reply = await system.get("scoring", "/v1/scores", metric="nps", window="1h")
            if reply["groups"] and reply["groups"][0]["n"] > number:
                break
        found.append(time.perf_counter() - started)
    return found


def spread(seconds: list[float]) -> dict[str, float]:
    cuts = quantiles(seconds, n=100)
    return {"p50_ms": round(cuts[49] * 1000, 1), "p99_ms": round(cuts[98] * 1000, 1)}


async def measure(folder: Path, rounds: int) -> dict[str, Any]:
    async with open_system(folder / "var", EARSHOT_LOG_LEVEL="warning") as system:
        ready_s = await system.start()
        event_to_dispatch = await dispatches(system, rounds)
        answer_to_score = await scores(system, rounds)
    return {
        "start_s": round(ready_s, 2),
        "event_to_dispatch": spread(event_to_dispatch),
        "answer_to_score": spread(answer_to_score),
        "rounds": rounds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)  # the embedded PostgreSQL runs as another user
        result = asyncio.run(measure(Path(folder), asked.rounds))
    print(f"{'':<20}{'p50 ms':>10}{'p99 ms':>10}")
    for name in ("event_to_dispatch", "answer_to_score"):
        print(f"{name:<20}{result[name]['p50_ms']:>10}{result[name]['p99_ms']:>10}")
    print(f"ready after {result['start_s']} s")
    if asked.json is not None:
        asked.json.write_text(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
