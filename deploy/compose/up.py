"""Start docker-compose.yml with what it needs, and return once everything answers.

    python deploy/compose/up.py docker compose

The words are how Compose is called, v2 or 1.29. Needs nothing but Python 3.11.
"""

# ruff: noqa: INP001, S603, S310, T201  (a script, run by its path; it calls what it was told to)

import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.error import URLError

ROOT: Final = Path(__file__).resolve().parents[2]
PATIENCE_S: Final = 300.0
PAGES: Final = (
    # service, port, where it says that it is ready, what to open
    ("ingest", 8001, "/readyz", "the public door: answers, events, survey pages"),
    ("scoring", 8002, "/readyz", "scores, with a key"),
    ("trigger", 8003, "/readyz", "decisions, with a key"),
    ("alerts", 8004, "/readyz", "alerts, with a key"),
    ("mailpit", 8025, "/readyz", "the mails that were sent"),
    ("grafana", 3000, "/api/health", "boards; admin, its password is in secrets/grafana_password"),
    ("prometheus", 9090, "/-/ready", "series and rules"),
    ("alertmanager", 9093, "/-/ready", "who is woken"),
)


def ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=3) as reply:
            return bool(reply.status == 200)
    except (URLError, OSError):
        return False


def published(compose: Sequence[str], service: str, port: int) -> str:
    """The address on this machine at which the service's port is reached."""
    command = [*compose, "port", service, str(port)]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return f"http://{said.stdout.strip()}"


def main(compose: Sequence[str]) -> int:
    subprocess.run([sys.executable, "deploy/compose/write_secrets.py"], cwd=ROOT, check=True)
    subprocess.run([*compose, "up", "--build", "--detach"], cwd=ROOT, check=True)
    until = time.monotonic() + PATIENCE_S
    for service, port, page, opened in PAGES:
        base = published(compose, service, port)
        while not ready(f"{base}{page}"):
            if time.monotonic() > until:
                call = " ".join(compose)
                print(f"{service} is not ready: {call} logs {service}", file=sys.stderr)
                return 1
            time.sleep(1)
        print(f"{service:<13}{base}  {opened}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:] or ["docker", "compose"]))
    except subprocess.CalledProcessError as failed:
        sys.exit(failed.returncode)
