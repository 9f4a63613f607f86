"""`make bench`: every program here, one after the other, its figures under var/bench/ as JSON.

Absolute figures mean little across machines; each program prints ratios taken in one run.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

PROGRAMS = {
    "ingest": "acknowledged answers a second, beside a bare echo and the plain way",
    "libraries": "libraries of hot paths beside others: producers, bodies, consumers, writes",
    "scoring": "answers a second exactly once, beside fetch and decode and four peers",
    "queries": "questions about segments: p50, p95, p99, beside the same without columns",
    "deciding": "events per second through trigger's decisions, beside fetch and decode",
    "dispatching": "event to dispatch while 1,500 events come a second, on a real Kafka",
    "precision": "invitations that it takes to know every segment, beside a flat sample",
    "judging": "answers per second counted and judged with 1,000 and 20,000 streams",
    "growth": "how each cost grows: partitions, processes, batches, segments, answers, memory",
    "latency": "event to mail, answer to score, fault to alert at three loads, on the whole system",
}


# Too long for every day; their own arguments follow the name, `--help` tells them.
BY_HAND = {
    "soak": "a whole deployment at half of its capacity while things break at random",
    "spikes": "T1 to T10: the detector's promise, delay and cost against their bars, beside rivals",
}


def run(command: Sequence[str]) -> int:
    """Its status; a SIGTERM ends it first, with all that it started, and then this process."""

    def end(number: int, _: FrameType | None) -> None:
        program.send_signal(number)
        sys.exit(128 + number)  # the `with` waits for the program

    with subprocess.Popen(command) as program:
        before = signal.signal(signal.SIGTERM, end)
        try:
            return program.wait()
        finally:
            signal.signal(signal.SIGTERM, before)


def main() -> int:
    if sys.argv[1:2] and sys.argv[1] in BY_HAND:
        command = [sys.executable, "-m", f"benchmarks.{sys.argv[1]}", *sys.argv[2:]]
        return run(command)
    asked = sys.argv[1:] or list(PROGRAMS)
    unknown = [name for name in asked if name not in PROGRAMS]
    if unknown:
        sys.stderr.write(
            f"no program {', '.join(unknown)}; there are {', '.join(PROGRAMS | BY_HAND)}\n"
        )
        return 2
    folder = Path("var") / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    failed = []
    for name in asked:
        print(f"== {name}: {PROGRAMS[name]}", flush=True)
        started = time.monotonic()
        command = [sys.executable, "-m", f"benchmarks.{name}"]
        status = run([*command, "--json", str(folder / f"{name}.json")])
        print(f"== {name}: {time.monotonic() - started:.0f} s\n", flush=True)
        if status:
            failed.append(name)
    if failed:
        sys.stderr.write(f"failed: {', '.join(failed)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
